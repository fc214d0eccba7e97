"""GGUF -> ONNX for onnxruntime-genai, for the llama and qwen2 families, without torch.

Precisions: `native` keeps every weight as published (4-bit blocks stay 4-bit blocks, all else becomes 8-bit
blocks); `int8` and `int4` round what has more bits; `float32` unpacks everything, as the yardstick.

Two things are not as they seem. llama.cpp stores the query and key rows of *llama* models interleaved for
its own rotary code, so they are put back here; qwen2 is stored as published. And a file without
`output.weight` shares it with the embedding; Qwen's GGUF files spell it out although the model ties them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import IntegrityError, StoreError
from orchestrator.store.blocks import Bytes, Floats, decoded
from orchestrator.store.convert_decoder import Decoder, Shape
from orchestrator.store.convert_onnx import Graph
from orchestrator.store.convert_tokenizer import special_token_id, write_tokenizer
from orchestrator.store.delta import DELTA, Delta, read_delta
from orchestrator.store.gguf import GgufFile, Tensor
from orchestrator.store.packing import Packed, bits_for, pack

if TYPE_CHECKING:
    from orchestrator.store.convert import Say
    from orchestrator.store.converting import Request

_FAMILIES = ("llama", "qwen2")
_PRECISIONS = ("native", "int8", "int4", "float32")
_ROWS_AT_ONCE = 2048
_ELSEWHERE = "Use a safetensors source with the recipe hf-to-genai instead."


def run(request: Request, say: Say) -> None:
    request.check_no_options()
    if request.precision not in _PRECISIONS:
        raise StoreError(
            f"gguf-to-genai has no precision {request.precision!r}; it knows {', '.join(_PRECISIONS)}.",
            hint="Correct `precision` in the card's conversion.",
        )
    files = sorted(request.source.glob("*.gguf"))
    if len(files) != 1:
        raise StoreError(f"gguf-to-genai converts one .gguf file; the card names {len(files)}.")
    say("reading the vocabulary", None, None)
    with GgufFile(files[0]) as model:
        shape = shape_of(model)
        write_tokenizer(model.metadata, request.output, shape.context)
        _write_json(request.output / "genai_config.json", genai_config(model, shape))
        with Graph(request.output) as graph:
            weights = GgufWeights(model, request.precision, _delta(request.source / DELTA))
            for layer in Decoder(graph, shape, weights).write():
                say("converting layers", layer + 1, shape.layers)


def _delta(file: Path) -> Delta | None:
    return read_delta(file) if file.is_file() else None


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def shape_of(model: GgufFile) -> Shape:
    """The sizes, from the metadata. Refuses what would come out wrong instead of guessing."""
    family = model.metadata.get("general.architecture")
    name = model.path.name
    if family not in _FAMILIES:
        known = ", ".join(_FAMILIES)
        raise StoreError(f"{name} has architecture {family!r}; gguf-to-genai knows {known}.", hint=_ELSEWHERE)
    if f"{family}.rope.scaling.type" in model.metadata or "rope_freqs.weight" in model.tensors:
        raise StoreError(
            f"{name} scales its rotary positions, which gguf-to-genai cannot do.", hint=_ELSEWHERE
        )
    own = {key.removeprefix(f"{family}."): value for key, value in model.metadata.items()}
    heads, hidden = own["attention.head_count"], own["embedding_length"]
    return Shape(
        layers=own["block_count"],
        hidden=hidden,
        heads=heads,
        kv_heads=own.get("attention.head_count_kv", heads),
        head_size=own.get("attention.key_length", hidden // heads),
        vocabulary=model.tensors["token_embd.weight"].shape[0],
        context=own["context_length"],
        rope_theta=own.get("rope.freq_base", 10000.0),
        epsilon=own["attention.layer_norm_rms_epsilon"],
    )


def genai_config(model: GgufFile, shape: Shape) -> dict[str, Any]:
    """What onnxruntime-genai must know to run the graph. Greedy, unless a caller says otherwise."""
    meta = model.metadata
    end = special_token_id(meta, "eos")
    start, padding = special_token_id(meta, "bos"), special_token_id(meta, "padding")
    return {
        "model": {
            "type": meta["general.architecture"],
            "bos_token_id": end if start is None else start,
            "eos_token_id": end,
            "pad_token_id": end if padding is None else padding,
            **_tool_tokens(meta),
            "context_length": shape.context,
            "vocab_size": shape.vocabulary,
            "decoder": {
                "session_options": {"log_id": "onnxruntime-genai", "provider_options": []},
                "filename": "model.onnx",
                "head_size": shape.head_size,
                "hidden_size": shape.hidden,
                "num_attention_heads": shape.heads,
                "num_hidden_layers": shape.layers,
                "num_key_value_heads": shape.kv_heads,
                "inputs": {
                    "input_ids": "input_ids",
                    "attention_mask": "attention_mask",
                    "past_key_names": "past_key_values.%d.key",
                    "past_value_names": "past_key_values.%d.value",
                },
                "outputs": {
                    "logits": "logits",
                    "present_key_names": "present.%d.key",
                    "present_value_names": "present.%d.value",
                },
            },
        },
        "search": {"do_sample": False, "max_length": shape.context, "past_present_share_buffer": True},
    }


def _tool_tokens(meta: dict[str, Any]) -> dict[str, int]:
    tokens = meta["tokenizer.ggml.tokens"]
    wanted = {"bot_token_id": "<tool_call>", "eot_token_id": "</tool_call>"}
    return {key: tokens.index(token) for key, token in wanted.items() if token in tokens[-1000:]}


class GgufWeights:
    """The tensors of a GGUF file, as the decoder's writer asks for them. Raises IntegrityError for a delta of
    another model.
    """

    def __init__(self, model: GgufFile, precision: str, delta: Delta | None = None) -> None:
        self._model = model
        self._precision = precision
        self._delta = delta
        if delta:
            delta.insist_on(model.tensors)

    def __contains__(self, name: object) -> bool:
        return name in self._model.tensors

    def floats(self, name: str) -> Floats:
        return self.stacked([name]).reshape(-1)

    def stacked(self, names: Sequence[str]) -> Floats:
        return np.concatenate(
            [decoded(rows, tensor.type_name) for tensor in self._find(names) for rows in self._rows(tensor)]
        )

    def packed(self, names: Sequence[str], *, looked_up: bool = False) -> Packed | None:
        if self._precision == "float32":
            return None
        tensors = self._find(names)
        types = {tensor.type_name for tensor in tensors}
        # The operator that looks up rows cannot add the offsets of native 4-bit blocks.
        bits = 8 if looked_up and self._precision == "native" else bits_for(types, self._precision)
        parts = [
            pack(rows, tensor.type_name, self._precision, bits)
            for tensor in tensors
            for rows in self._rows(tensor)
        ]
        return _stack(parts)

    def change(self, names: Sequence[str]) -> tuple[Floats, Floats] | None:
        """Of several stacked matrices each has ranks of its own: `up` is a diagonal of blocks."""
        if self._delta is None:
            return None
        parts = [self._low_rank(self._delta, tensor) for tensor in self._find(names)]
        if not any(len(down) for down, _ in parts):
            return None
        ranks = np.cumsum([0, *(len(down) for down, _ in parts)])
        outputs = np.cumsum([0, *(len(up) for _, up in parts)])
        ups = np.zeros((outputs[-1], ranks[-1]), dtype=np.float32)
        for place, (_, up) in enumerate(parts):
            ups[outputs[place] : outputs[place + 1], ranks[place] : ranks[place + 1]] = up
        return np.concatenate([down for down, _ in parts]), ups

    def _low_rank(self, delta: Delta, tensor: Tensor) -> tuple[Floats, Floats]:
        """Of rank 0 where the matrix is unchanged."""
        outputs, inputs = tensor.shape
        nothing = np.zeros((0, inputs), np.float32), np.zeros((outputs, 0), np.float32)
        down, up = delta.low_rank(tensor.name) or nothing
        if down.shape[1] != inputs or up.shape[0] != outputs:
            raise IntegrityError(
                f"The delta's {tensor.name!r} is for {up.shape[0]} x {down.shape[1]}, its base's is "
                f"{outputs} x {inputs}."
            )
        return down, up

    def _find(self, names: Sequence[str]) -> list[Tensor]:
        missing = [name for name in names if name not in self._model.tensors]
        if missing:
            raise StoreError(f"{self._model.path.name} lacks the tensors {', '.join(missing)}.")
        return [self._model.tensors[name] for name in names]

    def _rows(self, tensor: Tensor) -> Iterator[Bytes]:
        """All rows in the published order, some thousand at a time; a vector is one row."""
        order = _row_order(self._model, tensor)
        if order is not None:
            yield self._model.rows(tensor)[order]
            return
        for first in range(0, tensor.rows, _ROWS_AT_ONCE):
            yield self._model.rows(tensor, first, first + _ROWS_AT_ONCE)


def _stack(parts: list[Packed]) -> Packed:
    offset = None
    if any(part.offset is not None for part in parts):
        offset = np.concatenate(
            [np.zeros_like(part.scale) if part.offset is None else part.offset for part in parts]
        )
    codes = np.concatenate([part.codes for part in parts])
    return Packed(parts[0].bits, codes, np.concatenate([part.scale for part in parts]), offset)


def _row_order(model: GgufFile, tensor: Tensor) -> NDArray[np.int64] | None:
    """For llama's query and key: which stored row is the first, the second, ... of the published matrix.

    llama.cpp interleaves the two halves of each head (0, d/2, 1, d/2+1, ...); None where it does not.
    """
    meta = model.metadata
    keys = {"attn_q": "llama.attention.head_count", "attn_k": "llama.attention.head_count_kv"}
    module = tensor.name.split(".")[-2]
    if meta["general.architecture"] != "llama" or module not in keys or len(tensor.shape) != 2:
        return None
    heads = meta.get(keys[module], meta["llama.attention.head_count"])
    return np.arange(tensor.rows).reshape(heads, -1, 2).swapaxes(1, 2).reshape(-1)
