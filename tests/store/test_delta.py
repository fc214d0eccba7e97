"""A delta is merged into its base, and its head becomes part of the graph."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from orchestrator.errors import StoreError
from orchestrator.runtimes.base import Classifier, Embedder, LoadOptions, PairScorer, Tagger
from orchestrator.runtimes.encoder import load
from orchestrator.runtimes.heads import best_path, softmax
from orchestrator.types import Conversion
from tests.store.helpers import World, make_card, model_file
from tests.store.test_convert import IDS, SIZES, drift, real_store, tiny_encoder
from tests.store.tiny_models import TinyDecoder, run_decoder

HIDDEN, RANK = SIZES["hidden_size"], 3
CHANGED = "encoder.layer.1.attention.self.query.weight"
ADDED = "encoder.layer.0.output.LayerNorm.bias"


def parts(labels: int) -> dict[str, Any]:
    random = np.random.default_rng(1)
    return {
        f"{CHANGED}:down": random.normal(size=(RANK, HIDDEN)).astype(np.float32),
        f"{CHANGED}:up": random.normal(size=(HIDDEN, RANK)).astype(np.float16),
        f"{ADDED}:add": random.normal(size=HIDDEN).astype(np.float32),
        "head.weight": random.normal(size=(labels, HIDDEN)).astype(np.float32),
        "head.bias": random.normal(size=labels).astype(np.float32),
    }


def install(
    world: World, head: dict[str, Any], tensors: dict[str, Any], precision: str = "float32", **options: Any
) -> Any:
    """(the loaded session, the transformers base) of a tiny encoder with this delta."""
    source = world.cards / "bert"
    base = tiny_encoder(source)
    save_file(tensors, source / "delta.safetensors", metadata={"head": json.dumps(head)})
    names = ("model.safetensors", "config.json", "tokenizer.json", "delta.safetensors")
    card = make_card(
        *(model_file(name, (source / name).read_bytes(), f"file:bert/{name}") for name in names),
        capabilities=["classify"],
        options=options,
        conversion=Conversion.model_validate({"recipe": "encoder-to-onnx", "precision": precision}),
    )
    store = real_store(world, card)
    store.pull("tiny")
    return load(card, LoadOptions(folder=store.folder("tiny"), threads=1)), base


def expected_hidden(base: Any, tensors: dict[str, Any], ids: list[int]) -> Any:
    import torch

    state = base.state_dict()
    up, down = (torch.from_numpy(tensors[f"{CHANGED}:{part}"].astype(np.float32)) for part in ("up", "down"))
    state[CHANGED] = state[CHANGED] + up @ down
    state[ADDED] = state[ADDED] + torch.from_numpy(tensors[f"{ADDED}:add"])
    base.load_state_dict(state)
    with torch.no_grad():
        return base(torch.tensor([ids])).last_hidden_state[0].numpy()


def test_a_classifier_computes_what_torch_computes(world: World) -> None:
    tensors = parts(3)
    session, base = install(
        world, {"kind": "classify", "labels": ["a", "b", None], "temperature": 2.0}, tensors
    )
    hidden = expected_hidden(base, tensors, [1, 0, 1])
    mean = hidden.mean(axis=0)
    scores = tensors["head.weight"] @ (mean / np.linalg.norm(mean)) + tensors["head.bias"]
    assert isinstance(session, Classifier)
    assert session.labels == ("a", "b", None)
    found = asyncio.run(session.classify(["the other the", "the"]))
    assert found.probabilities[0] == pytest.approx(softmax(scores / 2.0), abs=1e-5)
    assert found.probabilities.sum(axis=1) == pytest.approx([1, 1])
    assert found.prompt_tokens == 4
    assert isinstance(session, Embedder)
    assert asyncio.run(session.embed(["the other the"])).vectors[0] == pytest.approx(
        mean / np.linalg.norm(mean), abs=1e-5
    )
    session.close()


def test_a_tagger_tags_words_as_torch_scores_them(world: World) -> None:
    tensors = parts(3)
    session, base = install(world, {"kind": "tag", "labels": ["O", "B-city", "I-city"]}, tensors)
    hidden = expected_hidden(base, tensors, [1, 0, 1, 0])
    shares = softmax(hidden @ tensors["head.weight"].T + tensors["head.bias"])
    assert isinstance(session, Tagger)
    found = asyncio.run(session.tag(["the big the sea", ""]))
    rules = np.array([[True, True, False], [True, True, True], [True, True, True]])
    path = best_path(np.log(shares + 1e-9), rules)
    tagged = {word for part in found.parts[0] for word in "the big the sea"[part.start : part.end].split()}
    words = [word for word, tag in zip(["the", "big", "the", "sea"], path, strict=True) if tag]
    assert tagged == set(words)
    assert found.least_sure[0] == pytest.approx(min(shares[i, tag] for i, tag in enumerate(path)), abs=1e-4)
    assert found.parts[1] == ()
    session.close()


def test_a_tagger_marks_only_the_kinds_that_are_asked(world: World) -> None:
    labels = ["O", "B-city", "I-city", "B-day", "I-day"]
    tensors = parts(5)
    tensors["head.bias"] = np.array([-9, 0, 0, 5, 5], dtype=np.float32)
    session, _ = install(world, {"kind": "tag", "labels": labels}, tensors)
    assert isinstance(session, Tagger)
    text = "the big the sea"
    assert {part.kind for part in asyncio.run(session.tag([text])).parts[0]} == {"day"}
    one = asyncio.run(session.tag([text], ["city"])).parts[0]
    assert {part.kind for part in one} == {"city"}
    assert asyncio.run(session.tag([text], [])).parts[0] == ()
    session.close()


@pytest.mark.parametrize(("options", "words"), [({}, 2), ({"line_break": "|"}, 3)], ids=["unseen", "seen"])
def test_a_tagger_may_be_shown_where_lines_end(world: World, options: dict[str, Any], words: int) -> None:
    """Every word is a part here: the end of the line is one of them where it is seen."""
    tensors = parts(3) | {"head.bias": np.array([0, 1e6, 0], dtype=np.float32)}
    session, _ = install(world, {"kind": "tag", "labels": ["O", "B-word", "I-word"]}, tensors, **options)
    text = "the \n sea"
    found = asyncio.run(session.tag([text])).parts[0]
    assert len(found) == words
    assert [text[part.start : part.end] for part in (found[0], found[-1])] == ["the", "sea"]


def test_pairs_are_compared_as_torch_reads_their_texts(world: World) -> None:
    tensors = parts(1)
    session, base = install(world, {"kind": "score-pairs", "temperature": 2.0}, tensors)
    assert isinstance(session, PairScorer)
    nothing = {name: np.zeros_like(values) for name, values in tensors.items()}
    changed = ((tensors, [1]), (nothing, [0, 1]))  # the changes are made once, and stay
    means = [expected_hidden(base, once, ids).mean(axis=0) for once, ids in changed]
    first, second = (mean / np.linalg.norm(mean) for mean in means)
    score = tensors["head.weight"][0] @ (first * second) + tensors["head.bias"][0]
    found = asyncio.run(session.score_pairs([("the", "big the"), ("big the", "the")]))
    assert found.scores == pytest.approx([1 / (1 + np.exp(-score / 2.0))] * 2, abs=1e-4)
    assert asyncio.run(session.score_pairs([])).scores.shape == (0,)
    again = asyncio.run(session.score_pairs([("the", "big the")]))
    assert again.scores[0] == pytest.approx(found.scores[0])
    assert again.prompt_tokens < found.prompt_tokens  # what is chosen from was read before
    session.close()


def test_int8_keeps_the_labels(world: World) -> None:
    tensors = parts(3)
    head = {"kind": "classify", "labels": ["a", "b", "c"]}
    session, base = install(world, head, tensors, "int8")
    hidden = expected_hidden(base, tensors, [1, 0])
    mean = hidden.mean(axis=0)
    shares = softmax(tensors["head.weight"] @ (mean / np.linalg.norm(mean)) + tensors["head.bias"])
    found = asyncio.run(session.classify(["the sea"]))
    assert found.probabilities[0] == pytest.approx(shares, abs=0.03)
    session.close()


@pytest.mark.parametrize(
    ("head", "spoil", "message"),
    [
        ({"kind": "classify", "labels": ["a", "b"]}, {}, "no head for its 2 labels"),
        ({"kind": "sing"}, {}, "does not say what its head is"),
        (
            {"kind": "tag", "labels": ["O", "B-x", "I-x"]},
            {"nothing.weight:add": np.zeros(3)},
            "does not have",
        ),
        ({"kind": "tag", "labels": ["O", "B-x", "I-x"]}, {f"{ADDED}:add": np.zeros(3)}, "its base's"),
        (
            {"kind": "tag", "labels": ["O", "B-x", "I-x"]},
            {f"{CHANGED}:down": np.zeros((RANK + 1, HIDDEN))},
            "do not fit together",
        ),
    ],
    ids=["too few labels", "no such head", "unknown weight", "another size", "ranks differ"],
)
def test_a_delta_that_does_not_fit_is_refused(
    world: World, head: dict[str, Any], spoil: dict[str, Any], message: str
) -> None:
    spoilt = {name: value.astype(np.float32) for name, value in spoil.items()}
    with pytest.raises(StoreError, match=message):
        install(world, head, {**parts(3), **spoilt})
    assert not any((world.cache / "models").glob("*")), "a half-installed specialist"


def test_no_part_begins_in_the_middle() -> None:
    """The likeliest tag of each word alone would be I-x, which nothing may begin with."""
    logs = np.log(np.array([[0.1, 0.2, 0.7], [0.1, 0.2, 0.7]], dtype=np.float32))
    follow = np.array([[True, True, False], [True, True, True], [True, True, True]])
    assert best_path(logs, follow) == [1, 2]


# --- decoders -------------------------------------------------------------------------------------------


def decoder_parts(model: TinyDecoder, names: Sequence[str], rank: int = 3) -> dict[str, Any]:
    random = np.random.default_rng(5)
    made = {}
    for name in names:
        outputs, inputs = model.weights[name].shape
        made[f"{name}:down"] = random.normal(0, 0.1, (rank, inputs)).astype(np.float32)
        made[f"{name}:up"] = random.normal(0, 0.1, (outputs, rank)).astype(np.float32)
    return made


def install_decoder(world: World, model: TinyDecoder, tensors: dict[str, Any], precision: str) -> Path:
    content = model.write_gguf(world.root / "tiny.gguf").read_bytes()
    save_file(tensors, world.cards / "delta.safetensors")
    delta = (world.cards / "delta.safetensors").read_bytes()
    card = make_card(
        model_file("model.gguf", content, world.put("model.gguf", content)),
        model_file("delta.safetensors", delta, "file:delta.safetensors"),
        runtime="genai",
        capabilities=["generate"],
        conversion=Conversion.model_validate({"recipe": "gguf-to-genai", "precision": precision}),
    )
    store = real_store(world, card)
    store.pull("tiny")
    return store.folder("tiny")


@pytest.mark.parametrize(
    ("family", "block_type", "precision", "most"),
    [
        ("llama", "Q8_0", "float32", 1e-5),
        ("qwen2", "Q4_0", "float32", 1e-5),
        ("llama", "Q4_1", "native", 0.03),
    ],
)
def test_a_changed_decoder_computes_what_torch_computes(
    world: World, family: str, block_type: str, precision: str, most: float
) -> None:
    """Of the stacked query, key and value only two are changed; the down matrix reads another width."""
    model = TinyDecoder(family, block_type)
    changed = [
        "blk.0.attn_q.weight",
        "blk.0.attn_v.weight",
        "blk.1.ffn_down.weight",
        "blk.1.attn_output.weight",
    ]
    tensors = decoder_parts(model, changed)
    unchanged = model.logits(IDS)
    folder = install_decoder(world, model, tensors, precision)
    for name in changed:
        model.weights[name] = model.weights[name] + tensors[f"{name}:up"] @ tensors[f"{name}:down"]
    found = run_decoder(folder, IDS, model.kv_heads, model.hidden // model.heads)
    assert drift(found, model.logits(IDS)) < most
    assert drift(unchanged, model.logits(IDS)) > 0.05, "the change is one that can be seen"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda parts: parts.pop("blk.0.attn_q.weight:up"), "do not fit together"),
        (
            lambda parts: parts.update({"blk.9.attn_q.weight:up": np.zeros((64, 3), np.float32)}),
            "base does not",
        ),
        (
            lambda parts: parts.update({"blk.0.attn_q.weight:up": np.zeros((32, 3), np.float32)}),
            "is for 32 x 64",
        ),
        (lambda parts: parts.update({"blk.0.attn_q.weight:up": np.zeros((64, 2), np.float32)}), "do not fit"),
    ],
    ids=["half a change", "another layer", "another width", "another rank"],
)
def test_a_delta_of_another_decoder_is_refused(world: World, change: Any, words: str) -> None:
    model = TinyDecoder("llama")
    tensors = decoder_parts(model, ["blk.0.attn_q.weight"])
    change(tensors)
    with pytest.raises(StoreError, match=words):
        install_decoder(world, model, tensors, "float32")
