"""The real models, where they are installed already or can be pulled: quality after conversion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from orchestrator.settings import load_settings
from orchestrator.store import ModelStore
from tests.store.sentences import sentences
from tests.store.test_cards import CARDS, FOLDER
from tests.store.tiny_models import Floats, run_decoder

pytestmark = pytest.mark.real

TEXT = (
    "<|im_start|>user\nThe printer on the second floor prints grey stripes. Is there another?<|im_end|>\n"
    "<|im_start|>assistant\nYes, use the printer beside the reception desk on the ground floor. I have asked "
    "the service desk to clean the drum, which takes about an hour.<|im_end|>\n"
)


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore(load_settings().settings.cache_dir, CARDS, dict.fromkeys(CARDS, FOLDER))


def embeddings(folder: Path, batch: int) -> Floats:
    """Mean-pooled and normalised, as the runtime does it."""
    import onnxruntime
    from tokenizers import Tokenizer

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding()
    texts, found = sentences(), []
    for first in range(0, len(texts), batch):
        encoded = tokenizer.encode_batch(texts[first : first + batch])
        ids = np.array([entry.ids for entry in encoded], dtype=np.int64)
        mask = np.array([entry.attention_mask for entry in encoded], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = session.run(["last_hidden_state"], feed)[0]
        pooled = (hidden * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        found.append(pooled / np.linalg.norm(pooled, axis=1, keepdims=True))
    return np.concatenate(found)


def test_int8_embeddings_stay_within_a_cosine_of_098(store: ModelStore) -> None:
    for name in ("minilm-l6", "minilm-l6-f32"):
        store.pull(name)
    exact = embeddings(store.folder("minilm-l6-f32"), batch=1)
    for batch in (1, 8):
        cosines = (embeddings(store.folder("minilm-l6"), batch) * exact).sum(axis=1)
        assert len(cosines) == 200
        assert cosines.min() >= 0.98
        assert cosines.mean() >= 0.99


def log_probabilities(store: ModelStore, name: str) -> Floats:
    from tokenizers import Tokenizer

    store.pull(name)
    folder = store.folder(name)
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(TEXT).ids
    sizes = json.loads((folder / "genai_config.json").read_text())["model"]["decoder"]
    found = run_decoder(
        folder, np.array([ids], dtype=np.int64), sizes["num_key_value_heads"], sizes["head_size"]
    )
    logits = found[0].astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    result: Floats = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return result


def test_the_small_generator_answers_as_its_published_weights_do(store: ModelStore) -> None:
    exact = log_probabilities(store, "smollm2-135m-f32")
    native = log_probabilities(store, "smollm2-135m")
    divergence = (np.exp(exact) * (exact - native)).sum(axis=-1)
    assert divergence.mean() < 0.02
    assert (exact.argmax(axis=-1) == native.argmax(axis=-1)).mean() > 0.9


@pytest.mark.parametrize("name", ["lid-176", "minilm-l6", "smollm2-135m"])
def test_an_installed_model_is_what_its_manifest_says(store: ModelStore, name: str) -> None:
    store.pull(name)
    store.verify(name)
