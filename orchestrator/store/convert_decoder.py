"""The graph of a llama or qwen2 decoder, as onnxruntime-genai runs it.

    embedding -> layers x [norm, q k v, attention, o, norm, gate and up, silu, down] -> norm -> head

with the operators that onnxruntime has for exactly this: GroupQueryAttention (rotary positions and the
key-value cache inside), SkipSimplifiedLayerNormalization (the residual sum inside), MatMulNBits and
GatherBlockQuantized (weights in blocks of 4 or 8 bits). The builder that comes with onnxruntime-genai makes
the same graph, but unpacks all weights to float32 and rounds them again: 13.6 GB of memory for 1.5B
parameters, and a loss of precision that can be measured (docs/decisions/0002-keep-published-bits.md).

A 4-bit block with an offset c is computed exactly, as

    W x  =  scale * (code - 8) x  +  c * sum(x over the block)

The sums are shared by all matrices that read x; c is a matrix with one column for each 32 columns of W.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from orchestrator.store.convert_onnx import MICROSOFT, Graph
from orchestrator.store.packing import BLOCK, Packed

if TYPE_CHECKING:
    from orchestrator.store.blocks import Floats


@dataclass(frozen=True)
class Shape:
    """The sizes of a decoder."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    context: int
    rope_theta: float
    epsilon: float


class Weights(Protocol):
    """Where the weights come from. Matrices are given by rows (outputs), several are stacked."""

    def __contains__(self, name: object) -> bool: ...

    def floats(self, name: str) -> Floats:
        """A vector in float32."""

    def packed(self, names: Sequence[str], *, looked_up: bool = False) -> Packed | None:
        """Stacked matrices in blocks; None when the model is to stay in float32.

        `looked_up`: rows will be looked up, not multiplied, so the blocks may have no offset.
        """

    def stacked(self, names: Sequence[str]) -> Floats:
        """Stacked matrices in float32."""

    def change(self, names: Sequence[str]) -> tuple[Floats, Floats] | None:
        """What a delta adds to the stacked matrices, as (down, up): W x + up (down x). None: nothing."""


class Decoder:
    """Writes one decoder into a graph."""

    def __init__(self, graph: Graph, shape: Shape, weights: Weights) -> None:
        self._graph = graph
        self._shape = shape
        self._weights = weights
        self._sums: dict[str, str] = {}
        self._embedded: Packed | None = None

    def write(self) -> Iterable[int]:
        """Write it, and tell each layer that is done."""
        self._constants()
        residual, branch = self._embedding(), ""
        for layer in range(self._shape.layers):
            residual, branch = self._layer(layer, residual, branch)
            yield layer
        self._head(self._norm("output_norm.weight", residual, branch, last=True)[0])
        self._save()

    def _constants(self) -> None:
        """What every layer's attention reads: how long each sequence is, and the rotary tables."""
        graph, shape = self._graph, self._shape
        graph.constant("one", 1)
        graph.constant("first_axis", [1])
        counted = graph.node("ReduceSum", ["attention_mask", "first_axis"], "counted", keepdims=0)
        last = graph.node("Sub", [counted, "one"], "last")
        graph.node("Cast", [last], "last_positions", to=_INT32)
        lengths = graph.node("Shape", ["attention_mask"], "mask_shape")
        total = graph.node("Gather", [lengths, "one"], "total", axis=0)
        graph.node("Cast", [total], "total_length", to=_INT32)
        speeds = shape.rope_theta ** -(np.arange(0, shape.head_size, 2) / shape.head_size)
        angles = np.outer(np.arange(shape.context), speeds)
        graph.weight("cosines", np.cos(angles).astype(np.float32))
        graph.weight("sines", np.sin(angles).astype(np.float32))

    def _embedding(self) -> str:
        graph, name = self._graph, "token_embd.weight"
        packed = self._embedded = self._weights.packed([name], looked_up=True)
        if packed is None:
            table = graph.weight(name, self._weights.stacked([name]))
            return graph.node("Gather", [table, "input_ids"], "embedded")
        codes = graph.weight(f"{name}.codes", packed.codes.reshape(self._shape.vocabulary, -1))
        inputs = [codes, "input_ids", graph.weight(f"{name}.scale", packed.scale)]
        options = {"bits": packed.bits, "block_size": BLOCK, "gather_axis": 0, "quantize_axis": 1}
        return graph.node("GatherBlockQuantized", inputs, "embedded", domain=MICROSOFT, **options)

    def _norm(self, name: str, residual: str, branch: str, last: bool = False) -> tuple[str, str]:
        """Add the branch to the residual and normalise: (normalised, new residual)."""
        scale = self._graph.weight(name, self._weights.floats(name))
        epsilon, normalised, total = self._shape.epsilon, f"{name}/normalised", f"{name}/residual"
        if not branch:
            op = "SimplifiedLayerNormalization"
            return self._graph.node(op, [residual, scale], normalised, epsilon=epsilon, axis=-1), residual
        outputs = [normalised] if last else [normalised, "", "", total]
        op = "SkipSimplifiedLayerNormalization"
        self._graph.node(op, [residual, branch, scale], outputs, domain=MICROSOFT, epsilon=epsilon)
        return normalised, total

    def _layer(self, layer: int, residual: str, branch: str) -> tuple[str, str]:
        at = f"blk.{layer}"
        normalised, residual = self._norm(f"{at}.attn_norm.weight", residual, branch)
        branch = self._attention(layer, at, normalised)
        normalised, residual = self._norm(f"{at}.ffn_norm.weight", residual, branch)
        gate = self._product(normalised, [f"{at}.ffn_gate.weight"], f"{at}.gate")
        up = self._product(normalised, [f"{at}.ffn_up.weight"], f"{at}.up")
        opened = self._graph.node("Sigmoid", [gate], f"{at}.opened")
        silu = self._graph.node("Mul", [gate, opened], f"{at}.silu")
        gated = self._graph.node("Mul", [silu, up], f"{at}.gated")
        return residual, self._product(gated, [f"{at}.ffn_down.weight"], f"{at}.down")

    def _attention(self, layer: int, at: str, normalised: str) -> str:
        shape, names = self._shape, [f"{at}.attn_{which}" for which in "qkv"]
        mixed = self._product(normalised, [f"{name}.weight" for name in names], f"{at}.qkv")
        biases = [f"{name}.bias" for name in names if f"{name}.bias" in self._weights]
        if biases:
            bias = np.concatenate([self._weights.floats(name) for name in biases])
            self._graph.weight(f"{at}.qkv.bias", bias)
            mixed = self._graph.node("Add", [mixed, f"{at}.qkv.bias"], f"{at}.qkv.biased")
        past = [f"past_key_values.{layer}.key", f"past_key_values.{layer}.value"]
        attended = self._graph.node(
            "GroupQueryAttention",
            [mixed, "", "", *past, "last_positions", "total_length", "cosines", "sines"],
            [f"{at}.attended", f"present.{layer}.key", f"present.{layer}.value"],
            domain=MICROSOFT,
            num_heads=shape.heads,
            kv_num_heads=shape.kv_heads,
            scale=shape.head_size**-0.5,
            do_rotary=1,
            rotary_interleaved=0,
        )
        return self._product(attended, [f"{at}.attn_output.weight"], f"{at}.o")

    def _head(self, normalised: str) -> None:
        """The embedding once more where the model ties them, else its own matrix."""
        own, shared = "output.weight", "token_embd.weight"
        if own in self._weights or self._embedded is None:
            name = own if own in self._weights else shared
            self._product(normalised, [name], "logits", label="output")
        else:
            codes = self._graph.alias("output.codes", f"{shared}.codes", self._embedded.codes.shape)
            self._blocks(normalised, codes, f"{shared}.scale", self._embedded, "logits")

    def _product(self, x: str, names: Sequence[str], output: str, label: str | None = None) -> str:
        """x times the transposed stack of matrices, with what a delta adds to it."""
        change = self._weights.change(names)
        if change is None:
            return self._published(x, names, output, label)
        down = self._graph.weight(f"{output}.down", change[0].T)
        up = self._graph.weight(f"{output}.up", change[1].T)
        narrow = self._graph.node("MatMul", [x, down], f"{output}.narrow")
        added = self._graph.node("MatMul", [narrow, up], f"{output}.added")
        return self._graph.node("Add", [self._published(x, names, f"{output}.base", label), added], output)

    def _published(self, x: str, names: Sequence[str], output: str, label: str | None = None) -> str:
        packed, label = self._weights.packed(names), label or output
        if packed is None:
            matrix = self._graph.weight(f"{label}.weight", self._weights.stacked(names).T)
            return self._graph.node("MatMul", [x, matrix], output)
        codes = self._graph.weight(f"{label}.codes", packed.codes)
        scale = self._graph.weight(f"{label}.scale", packed.scale)
        if packed.offset is None:
            return self._blocks(x, codes, scale, packed, output)
        coarse = self._blocks(x, codes, scale, packed, f"{output}.coarse")
        offset = self._graph.weight(f"{label}.offset", packed.offset.T)
        rest = self._graph.node("MatMul", [self._block_sums(x, packed), offset], f"{output}.rest")
        return self._graph.node("Add", [coarse, rest], output)

    def _blocks(self, x: str, codes: str, scale: str, packed: Packed, output: str) -> str:
        rows, blocks = packed.scale.shape
        return self._graph.node(
            "MatMulNBits",
            [x, codes, scale],
            output,
            domain=MICROSOFT,
            K=blocks * BLOCK,
            N=rows,
            bits=packed.bits,
            block_size=BLOCK,
            accuracy_level=4,  # multiply in int8; x is rounded to 8 bits in blocks of 32 too
        )

    def _block_sums(self, x: str, packed: Packed) -> str:
        """x summed over each block; made once for all the matrices that read x."""
        if not self._sums:
            self._graph.constant("last_axis", [3])
        if x not in self._sums:
            blocks = packed.scale.shape[1]
            cut = self._graph.constant(f"{x}.cut", [0, 0, blocks, BLOCK])
            parts = self._graph.node("Reshape", [x, cut], f"{x}.parts")
            self._sums[x] = self._graph.node("ReduceSum", [parts, "last_axis"], f"{x}.sums", keepdims=0)
        return self._sums[x]

    def _save(self) -> None:
        shape = self._shape
        cache = ("batch", shape.kv_heads, "past", shape.head_size)
        grown = ("batch", shape.kv_heads, "total", shape.head_size)
        both = [f"{layer}.{kind}" for layer in range(shape.layers) for kind in ("key", "value")]
        self._graph.save(
            {
                "input_ids": (np.int64, ("batch", "tokens")),
                "attention_mask": (np.int64, ("batch", "total")),
                **{f"past_key_values.{which}": (np.float32, cache) for which in both},
            },
            {
                "logits": (np.float32, ("batch", "tokens", shape.vocabulary)),
                **{f"present.{which}": (np.float32, grown) for which in both},
            },
        )


_INT32 = 6  # onnx.TensorProto.INT32
