"""Constrained decoding with real models: what comes out fits its schema, or says that it was cut."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import jsonschema
import pytest

from orchestrator.runtimes.base import Generator
from tests.runtimes.conftest import RealModels
from tests.runtimes.helpers import ask
from tests.runtimes.schemas import SCHEMAS

pytestmark = pytest.mark.real

TEXTS = [
    "Order 4411: Marie Dupont wants 3 headsets and 1 router by 2026-05-10, at most 250 euro. It is urgent.",
    "Goedemorgen, mijn factuur van mei klopt niet. Ik wil 45 euro terug. Groet, Jan Peeters, Gent.",
    "Tell me a story.",
    '{]\\ "quotes" and\nnew lines and 🎉',
]


async def outcomes(real: RealModels, model: str, names: list[str], texts: list[str]) -> AsyncIterator[str]:
    """'stop' or 'length' for each call; fails where a complete answer does not fit."""
    session = real.session(model)
    assert isinstance(session, Generator)
    for name in names:
        for text in texts:
            request = ask(text, "Answer as JSON.", json_schema=SCHEMAS[name], max_tokens=120)
            reply = await session.generate(request)
            if reply.finish == "stop":
                jsonschema.validate(json.loads(reply.text), SCHEMAS[name])
            yield reply.finish


@pytest.mark.parametrize(("model", "every"), [("smollm2-135m", 1), ("qwen2.5-coder-0.5b", 6)])
async def test_a_sample_of_schemas(real: RealModels, model: str, every: int) -> None:
    found = [finish async for finish in outcomes(real, model, list(SCHEMAS)[::every], TEXTS[:1])]
    assert found.count("stop") >= 0.7 * len(found)
    assert set(found) <= {"stop", "length"}


@pytest.mark.slow
@pytest.mark.parametrize("model", ["smollm2-135m", "qwen2.5-coder-0.5b"])
async def test_two_hundred_calls(real: RealModels, model: str) -> None:
    """Acceptance 4 of issue 2: 100 calls for each of the two models."""
    found = [finish async for finish in outcomes(real, model, list(SCHEMAS), TEXTS)]
    assert len(found) >= 100
    assert found.count("stop") >= 0.7 * len(found)
    assert set(found) <= {"stop", "length"}
