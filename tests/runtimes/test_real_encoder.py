"""The ONNX encoders against torch, and what may not change an embedding."""

from __future__ import annotations

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from orchestrator.errors import ModelError
from orchestrator.runtimes.base import Embedder, Generator, LanguageDetector
from tests.runtimes.conftest import RealModels
from tests.runtimes.sentences import SENTENCES

pytestmark = pytest.mark.real


async def vectors(real: RealModels, name: str, texts: list[str]) -> NDArray[np.float32]:
    session = real.session(name)
    assert isinstance(session, Embedder)
    made = await session.embed(texts)
    assert made.vectors.dtype == np.float32
    return made.vectors


async def test_float32_agrees_with_torch(real: RealModels) -> None:
    assert len(set(SENTENCES)) == 200
    here = await vectors(real, "minilm-l6-f32", SENTENCES)
    there = await vectors(real, "minilm-l6-f32-torch", SENTENCES)
    assert here.shape == (200, 384)
    assert np.abs(here - there).max() < 1e-4


async def test_int8_points_the_same_way(real: RealModels) -> None:
    exact = await vectors(real, "minilm-l6-f32", SENTENCES)
    small = await vectors(real, "minilm-l6", SENTENCES)
    assert (exact * small).sum(axis=1).min() >= 0.98


@pytest.mark.parametrize(("name", "tolerance"), [("minilm-l6", 0.0), ("minilm-l6-f32", 1e-6)])
async def test_the_company_of_a_text_does_not_change_its_vector(
    real: RealModels, name: str, tolerance: float
) -> None:
    texts = [*SENTENCES[:40], "short", "a much longer text " * 30]
    alone = np.vstack([await vectors(real, name, [text]) for text in texts])
    order = random.Random(1).sample(range(len(texts)), len(texts))
    together = await vectors(real, name, [texts[index] for index in order])
    assert np.abs(together - alone[order]).max() <= tolerance


async def test_vectors_are_normalised_and_meaningful(real: RealModels) -> None:
    made = await vectors(
        real, "minilm-l6", ["The printer is broken.", "My printer does not print.", "I want a refund."]
    )
    assert np.linalg.norm(made, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert made[0] @ made[1] > made[0] @ made[2] + 0.2


async def test_texts_are_cut_at_256_tokens(real: RealModels) -> None:
    long = await vectors(real, "minilm-l6-f32", ["word " * 1000, "word " * 254, "word " * 100])
    assert np.allclose(long[0], long[1], atol=1e-6)
    assert not np.allclose(long[0], long[2], atol=1e-4)


async def test_tokens_are_counted_after_cutting(real: RealModels) -> None:
    session = real.session("minilm-l6")
    assert isinstance(session, Embedder)
    assert (await session.embed(["word " * 1000, "word"])).prompt_tokens == 256 + 3


async def test_no_texts_and_an_empty_text(real: RealModels) -> None:
    assert (await vectors(real, "minilm-l6", [])).shape == (0, 384)
    assert np.isfinite(await vectors(real, "minilm-l6", [""])).all()


async def test_a_closed_session_says_so(real: RealModels) -> None:
    session = real.fresh("minilm-l6")
    session.close()
    assert isinstance(session, Embedder)
    assert not isinstance(session, Generator)
    with pytest.raises(ModelError, match="closed"):
        await session.embed(["a"])


async def test_languages_are_told_apart_also_across_lines(real: RealModels) -> None:
    session = real.session("lid-176")
    assert isinstance(session, LanguageDetector)
    dutch, english, french = await session.detect(
        [
            "Goedemorgen,\n\nmijn printer is kapot.\r\nGroet",
            "Good morning, my printer is broken.",
            "Bonjour à tous",
        ]
    )
    assert (dutch.code, english.code, french.code) == ("nl", "en", "fr")
    assert 0.5 < dutch.probability <= 1.0
