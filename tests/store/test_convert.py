"""Conversions of tiny models with random weights, through the store and its real converter."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from orchestrator.errors import IntegrityError, StoreError
from orchestrator.store import ModelStore
from orchestrator.store.convert_gguf import shape_of
from orchestrator.store.converting import CONVERTER
from orchestrator.store.encoder_families import bucket_of
from orchestrator.store.gguf import GgufFile
from orchestrator.types import Conversion, ModelCard
from tests.store.helpers import PLENTY, World, make_card, model_file
from tests.store.tiny_models import TEMPLATE, Floats, TinyDecoder, run_decoder

IDS = np.array([[5, 80, 7, 261, 33, 9], [1, 2, 3, 4, 5, 6]], dtype=np.int64)


def real_store(world: World, card: ModelCard) -> ModelStore:
    return ModelStore(
        world.cache,
        {card.name: card},
        {card.name: world.cards},
        environ=world.environ,
        machine=PLENTY,
        converter=CONVERTER,
    )


def convert_decoder(world: World, model: TinyDecoder, precision: str) -> Path:
    content = model.write_gguf(world.root / "tiny.gguf").read_bytes()
    card = make_card(
        model_file("model.gguf", content, world.put("model.gguf", content)),
        runtime="genai",
        capabilities=["generate"],
        conversion=Conversion.model_validate({"recipe": "gguf-to-genai", "precision": precision}),
    )
    store = real_store(world, card)
    manifest = store.pull("tiny")
    assert manifest.peak_memory_bytes is not None
    assert manifest.conversion_s is not None
    assert "onnx" in manifest.tools
    return store.folder("tiny")


def outputs(folder: Path, model: TinyDecoder) -> Floats:
    return run_decoder(folder, IDS, model.kv_heads, model.hidden // model.heads)


@pytest.mark.parametrize(
    "model",
    [
        TinyDecoder("llama"),
        TinyDecoder("llama", tied=False, block_type="Q5_0"),
        TinyDecoder("qwen2", tied=False),
        TinyDecoder("qwen2", block_type="Q4_0"),
    ],
    ids=lambda model: f"{model.family}-{model.block_type}-{'tied' if model.tied else 'untied'}",
)
def test_float32_computes_what_transformers_computes(world: World, model: TinyDecoder) -> None:
    folder = convert_decoder(world, model, "float32")
    assert outputs(folder, model) == pytest.approx(model.logits(IDS), abs=2e-4)


@pytest.mark.parametrize(
    ("block_type", "tied"),
    [("Q4_0", False), ("Q4_1", False), ("Q5_0", True), ("Q5_1", False), ("Q8_0", True), ("Q4_1", True)],
)
def test_native_keeps_the_published_weights(world: World, block_type: str, tied: bool) -> None:
    """What is left is that x is rounded to 8 bits when it is multiplied; no weight is rounded again."""
    model = TinyDecoder("llama", block_type, tied)
    folder = convert_decoder(world, model, "native")
    assert drift(outputs(folder, model), model.logits(IDS)) < 0.03


@pytest.mark.parametrize(("precision", "most"), [("int8", 0.03), ("int4", 0.3)])
def test_other_precisions_round(world: World, precision: str, most: float) -> None:
    model = TinyDecoder("qwen2", "Q8_0", tied=False)
    folder = convert_decoder(world, model, precision)
    assert drift(outputs(folder, model), model.logits(IDS)) < most


def drift(found: Floats, expected: Floats) -> float:
    """The size of the difference relative to the size of what was expected."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def test_onnxruntime_genai_runs_it_with_its_tokenizer_and_template(world: World) -> None:
    import onnxruntime_genai as genai

    model = TinyDecoder("qwen2", "Q8_0")
    folder = convert_decoder(world, model, "native")
    assert (folder / "chat_template.jinja").read_text() == TEMPLATE
    loaded = genai.Model(str(folder))
    tokenizer = genai.Tokenizer(loaded)
    text = "<|im_start|>hello 7"
    ids = tokenizer.encode(text)
    assert list(ids) == [model.tokens.index(token) for token in ("<|im_start|>", "hello", "Ġ", "7")]
    assert tokenizer.decode(ids[1:]) == "hello 7"
    parameters = genai.GeneratorParams(loaded)
    parameters.set_search_options(max_length=12, do_sample=False)
    generator = genai.Generator(loaded, parameters)
    generator.append_tokens(ids)
    generator.generate_next_token()
    expected = model.logits(np.array([ids], dtype=np.int64))[0, -1].argmax()
    assert generator.get_next_tokens()[0] == expected


def test_the_configuration_says_how_the_model_ends_its_turn(world: World) -> None:
    model = TinyDecoder("qwen2")
    config = json.loads((convert_decoder(world, model, "native") / "genai_config.json").read_text())["model"]
    assert config["eos_token_id"] == model.tokens.index("<|im_end|>")
    assert config["pad_token_id"] == config["eos_token_id"]
    assert config["bot_token_id"] == model.tokens.index("<tool_call>")
    assert config["context_length"] == 128


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"general.architecture": "mamba"}, "architecture 'mamba'.*llama, qwen2"),
        ({"llama.rope.scaling.type": "linear"}, "scales its rotary positions"),
    ],
)
def test_what_would_come_out_wrong_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with GgufFile(TinyDecoder().write_gguf(tmp_path / "tiny.gguf")) as model:
        model.metadata.update(changes)
        with pytest.raises(StoreError, match=words):
            shape_of(model)


def test_an_unknown_precision_is_refused_by_the_child_in_words(world: World) -> None:
    with pytest.raises(StoreError, match="no precision 'bfloat16'; it knows native, int8"):
        convert_decoder(world, TinyDecoder(), "bfloat16")


def test_an_option_that_nobody_reads_is_refused(world: World) -> None:
    conversion = Conversion(recipe="gguf-to-genai", precision="native", options={"block_size": 16})
    file = model_file("model.gguf", b"GGUF", world.put("model.gguf", b"GGUF"))
    with pytest.raises(StoreError, match="takes no options; the card gives block_size"):
        real_store(world, make_card(file, conversion=conversion)).pull("tiny")


def test_a_file_that_is_no_gguf(world: World) -> None:
    card = make_card(
        model_file("model.gguf", b"nonsense", world.put("model.gguf", b"nonsense")),
        conversion=Conversion(recipe="gguf-to-genai", precision="native"),
    )
    with pytest.raises(StoreError, match="no readable GGUF file"):
        real_store(world, card).pull("tiny")


# --- encoders -------------------------------------------------------------------------------------------

SIZES = {
    "vocab_size": 120,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 40,
}


def tiny_encoder(folder: Path, kind: str = "bert") -> Any:
    """A random BERT or MPNet on the disk, as published ones are; returns the transformers model."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import BertConfig, BertModel, MPNetConfig, MPNetModel

    torch.manual_seed(0)
    if kind == "bert":
        model = BertModel(BertConfig(**SIZES), add_pooling_layer=False).eval()
    else:
        longer = {**SIZES, "max_position_embeddings": 300, "initializer_range": 0.2}
        model = MPNetModel(MPNetConfig(**longer), add_pooling_layer=False).eval()
    model.save_pretrained(str(folder))
    tokenizer = Tokenizer(WordLevel({"the": 1, "[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return model


def convert_encoder(world: World, precision: str, kind: str = "bert") -> tuple[Path, Any]:
    source = world.cards / "bert"
    model = tiny_encoder(source, kind)
    names = ("model.safetensors", "config.json", "tokenizer.json")
    card = make_card(
        *(model_file(name, (source / name).read_bytes(), f"file:bert/{name}") for name in names),
        conversion=Conversion.model_validate({"recipe": "encoder-to-onnx", "precision": precision}),
    )
    store = real_store(world, card)
    store.pull("tiny")
    return store.folder("tiny"), model


def run_encoder(folder: Path, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Floats:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    asked = {node.name: feed[node.name] for node in session.get_inputs()}
    found: Floats = session.run(["last_hidden_state"], asked)[0]
    return found


@pytest.mark.parametrize(
    ("kind", "precision", "most"),
    [("bert", "float32", 1e-5), ("bert", "int8", 0.05), ("mpnet", "float32", 1e-5), ("mpnet", "int8", 0.1)],
)
def test_an_encoder_computes_what_transformers_computes(
    world: World, kind: str, precision: str, most: float
) -> None:
    import torch

    folder, model = convert_encoder(world, precision, kind)
    # Long enough for MPNet's last bucket of distances; 1 is its padding, which it finds by its number.
    ids = np.random.default_rng(0).integers(2, 120, (3, 280 if kind == "mpnet" else 17))
    mask = np.ones_like(ids)
    mask[1, 9:] = 0  # padding must not be attended to
    with torch.no_grad():
        expected = model(torch.from_numpy(ids), torch.from_numpy(mask)).last_hidden_state.numpy()
    found = run_encoder(folder, ids, mask)
    kept = mask.astype(bool)
    assert found.shape == expected.shape
    assert drift(found[kept], expected[kept]) < most


@pytest.mark.parametrize("buckets", [32, 16])
def test_distances_are_sorted_as_transformers_sorts_them(buckets: int) -> None:
    import torch
    from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

    later = np.arange(-600, 601)
    expected = MPNetEncoder.relative_position_bucket(torch.from_numpy(later), num_buckets=buckets).numpy()
    np.testing.assert_array_equal(bucket_of(later, buckets), expected)


def test_an_encoder_of_another_kind_is_refused(world: World) -> None:
    part = world.put("config.json", b'{"model_type": "t5"}')
    card = make_card(
        model_file("config.json", b'{"model_type": "t5"}', part),
        conversion=Conversion(recipe="encoder-to-onnx", precision="int8"),
    )
    with pytest.raises(StoreError, match="model_type 't5'"):
        real_store(world, card).pull("tiny")


def test_weights_that_are_no_safetensors_are_refused(world: World) -> None:
    config = json.dumps({**SIZES, "model_type": "bert", "layer_norm_eps": 1e-12}).encode()
    bad = b"\xff" * 64
    card = make_card(
        model_file("config.json", config, world.put("config.json", config)),
        model_file("model.safetensors", bad, world.put("model.safetensors", bad)),
        conversion=Conversion(recipe="encoder-to-onnx", precision="int8"),
    )
    with pytest.raises(StoreError, match="no readable safetensors file"):
        real_store(world, card).pull("tiny")


# --- the builder ----------------------------------------------------------------------------------------


def test_a_published_folder_goes_through_the_builder(world: World) -> None:
    """hf-to-genai, for architectures that are not written out here: a tiny llama, in float32."""
    model = TinyDecoder("llama", "Q8_0")
    source = world.cards / "hf"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model._by_transformers().save_pretrained(str(source))
    tokenizer = convert_decoder(world, model, "native")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (source / name).write_bytes((tokenizer / name).read_bytes())
    files = [
        model_file(path.name, path.read_bytes(), f"file:hf/{path.name}") for path in sorted(source.iterdir())
    ]
    card = make_card(
        *files,
        name="built",
        runtime="genai",
        conversion=Conversion(recipe="hf-to-genai", precision="float32"),
    )
    store = real_store(world, card)
    store.pull("built")
    assert outputs(store.folder("built"), model) == pytest.approx(model.logits(IDS), abs=2e-4)


def test_a_damaged_installed_model_is_noticed(world: World) -> None:
    folder = convert_decoder(world, TinyDecoder(), "native")
    data = bytearray((folder / "model.onnx.data").read_bytes())
    data[-1] ^= 1
    (folder / "model.onnx.data").write_bytes(data)
    content = (world.cards / "model.gguf").read_bytes()
    card = make_card(
        model_file("model.gguf", content, "file:model.gguf"),
        runtime="genai",
        capabilities=["generate"],
        conversion=Conversion(recipe="gguf-to-genai", precision="native"),
    )
    with pytest.raises(IntegrityError, match=r"model\.onnx\.data changed"):
        real_store(world, card).verify("tiny")
