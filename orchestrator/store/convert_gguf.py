"""GGUF -> Hugging Face folder -> ONNX, for the llama and qwen2 families.

A GGUF file holds a model's weights in blocks of a few bits, its vocabulary and its chat template. The ONNX
builder wants what Hugging Face publishes: config.json, safetensors, tokenizer.json. This writes those,
tensor by tensor, so that no more than one tensor is ever unpacked in memory. (transformers can read GGUF
itself; it takes 42 s instead of 4 for 135M parameters and needs two private attributes removed.)

Two things are not as they seem. llama.cpp stores the query and key rows of *llama* models interleaved for
its own rotary code, so they are put back here; qwen2 is stored as published. And a file without
`output.weight` shares it with the embedding; Qwen's GGUF files spell it out although the model ties them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import StoreError
from orchestrator.store.convert_genai import build
from orchestrator.store.gguf import GgufFile, Tensor

if TYPE_CHECKING:
    from orchestrator.store.convert import Say
    from orchestrator.store.converting import Request

_ROWS_AT_ONCE = 4096
_OUTSIDE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_INSIDE = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_CLASSES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}


def run(request: Request, say: Say) -> None:
    files = sorted(request.source.glob("*.gguf"))
    if len(files) != 1:
        raise StoreError(f"gguf-to-genai converts one .gguf file; the card names {len(files)}.")
    folder = request.work / "hf"
    folder.mkdir()
    with GgufFile(files[0]) as model:
        write_hf_folder(model, folder, say, half=request.precision != "float32")
    build(folder, request, say)


def write_hf_folder(model: GgufFile, folder: Path, say: Say, *, half: bool) -> None:
    """Everything that the builder reads. `half`: float16 weights, which halves its memory.

    float16 keeps 11 bits of a weight that was published with 4 to 6; the models that are meant to be
    exact (`precision: float32`) are written in float32.
    """
    config = hf_config(model)
    config["dtype"] = "float16" if half else "float32"
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", _special_tokens(model.metadata))
    say("tokenizer", None, None)
    write_tokenizer(model, folder)
    write_weights(model, folder / "model.safetensors", say, half=half)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def hf_config(model: GgufFile) -> dict[str, Any]:
    """config.json from the metadata. Refuses what it would get wrong instead of guessing."""
    meta = model.metadata
    family = meta.get("general.architecture")
    if family not in _CLASSES:
        raise StoreError(
            f"{model.path.name} has architecture {family!r}; gguf-to-genai knows {', '.join(_CLASSES)}.",
            hint="Use a safetensors source with the recipe hf-to-genai instead.",
        )
    if f"{family}.rope.scaling.type" in meta or "rope_freqs.weight" in model.tensors:
        raise StoreError(
            f"{model.path.name} scales its rotary positions, which gguf-to-genai does not convert.",
            hint="Use a safetensors source with the recipe hf-to-genai instead.",
        )
    own = {key.removeprefix(f"{family}."): value for key, value in meta.items()}
    return {
        "architectures": [_CLASSES[family]],
        "model_type": family,
        "hidden_act": "silu",
        "hidden_size": own["embedding_length"],
        "intermediate_size": own["feed_forward_length"],
        "max_position_embeddings": own["context_length"],
        "num_attention_heads": own["attention.head_count"],
        "num_hidden_layers": own["block_count"],
        "num_key_value_heads": own.get("attention.head_count_kv", own["attention.head_count"]),
        "rms_norm_eps": own["attention.layer_norm_rms_epsilon"],
        "rope_parameters": {"rope_type": "default", "rope_theta": own.get("rope.freq_base", 10000.0)},
        "tie_word_embeddings": "output.weight" not in model.tensors,
        "vocab_size": model.tensors["token_embd.weight"].shape[0],
        **_special_tokens(meta),
    }


def _special_tokens(meta: dict[str, Any]) -> dict[str, int]:
    names = {"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"}
    return {
        key: meta[f"tokenizer.ggml.{name}_token_id"]
        for key, name in names.items()
        if f"tokenizer.ggml.{name}_token_id" in meta
    }


# --- weights --------------------------------------------------------------------------------------------


def write_weights(model: GgufFile, target: Path, say: Say, *, half: bool) -> None:
    """A safetensors file: the length of a JSON header, the header, and the arrays in its order."""
    names = {name: hf_name(name) for name in model.tensors}
    kind, width = ("F16", 2) if half else ("F32", 4)
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in model.tensors.items():
        size = int(np.prod(tensor.shape)) * width
        header[names[name]] = {
            "dtype": kind,
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with target.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for index, tensor in enumerate(model.tensors.values()):
            say("unpacking weights", index, len(model.tensors))
            for chunk in unpacked(model, tensor):
                out.write(_narrow(chunk, tensor).tobytes() if half else chunk.tobytes())


def hf_name(name: str) -> str:
    if name in _OUTSIDE:
        return _OUTSIDE[name]
    blk, _, rest = name.partition(".")
    layer, _, rest = rest.partition(".")
    module, _, kind = rest.rpartition(".")
    if blk != "blk" or module not in _INSIDE:
        raise StoreError(f"gguf-to-genai does not know the tensor {name!r}.")
    return f"model.layers.{layer}.{_INSIDE[module]}.{kind}"


def unpacked(model: GgufFile, tensor: Tensor) -> Iterator[NDArray[np.float32]]:
    """The tensor in float32, some thousand rows at a time."""
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize

    order = _row_order(model, tensor)
    kind = GGMLQuantizationType(tensor.type_id)
    if len(tensor.shape) == 1:
        flat = dequantize(model.rows(tensor), kind).reshape(-1)
        yield flat if order is None else flat[order]
        return
    if order is not None:
        yield dequantize(model.rows(tensor)[order], kind)
        return
    for first in range(0, tensor.rows, _ROWS_AT_ONCE):
        yield dequantize(model.rows(tensor, first, first + _ROWS_AT_ONCE), kind)


def _row_order(model: GgufFile, tensor: Tensor) -> NDArray[np.int64] | None:
    """For llama's query and key: which stored row is the first, the second, ... of the published matrix.

    llama.cpp interleaves the two halves of each head (0, d/2, 1, d/2+1, ...); None where it does not.
    """
    meta = model.metadata
    heads = {"attn_q": "llama.attention.head_count", "attn_k": "llama.attention.head_count_kv"}
    module = tensor.name.split(".")[-2]
    if meta["general.architecture"] != "llama" or module not in heads:
        return None
    count = meta.get(heads[module], meta["llama.attention.head_count"])
    stored = np.arange(tensor.shape[0])
    return stored.reshape(count, -1, 2).swapaxes(1, 2).reshape(-1)


def _narrow(chunk: NDArray[np.float32], tensor: Tensor) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):
        narrow = chunk.astype(np.float16)
    if not np.isfinite(narrow).all():
        raise StoreError(
            f"The tensor {tensor.name!r} has weights beyond 65504, which float16 cannot hold.",
            hint="Set `precision: float32` in the card's conversion.",
        )
    return narrow


# --- tokenizer ------------------------------------------------------------------------------------------


def write_tokenizer(model: GgufFile, folder: Path) -> None:
    """tokenizer.json, tokenizer_config.json and the chat template, from the file's vocabulary."""
    from transformers import PreTrainedTokenizerFast
    from transformers.integrations.gguf import GGUF_TOKENIZER_MAPPING, convert_gguf_tokenizer

    meta = model.metadata
    wanted = GGUF_TOKENIZER_MAPPING["tokenizer"]
    vocabulary = {
        name: meta[f"tokenizer.{key}"] for key, name in wanted.items() if f"tokenizer.{key}" in meta
    }
    backend, extra = convert_gguf_tokenizer(meta["general.architecture"], vocabulary)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **extra, **_tokenizer_options(meta))
    tokenizer.save_pretrained(str(folder))


def _tokenizer_options(meta: dict[str, Any]) -> dict[str, Any]:
    tokens = meta["tokenizer.ggml.tokens"]
    special = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
    options: dict[str, Any] = {
        name: tokens[meta[f"tokenizer.ggml.{key}_token_id"]]
        for name, key in special.items()
        if f"tokenizer.ggml.{key}_token_id" in meta
    }
    for name in ("add_bos_token", "add_eos_token"):
        if f"tokenizer.ggml.{name}" in meta:
            options[name] = meta[f"tokenizer.ggml.{name}"]
    if "tokenizer.chat_template" in meta:
        options["chat_template"] = meta["tokenizer.chat_template"]
    return options
