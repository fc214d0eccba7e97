"""What the blocks of a GGUF tensor mean, as whole numbers with a scale.

ggml stores weights in blocks of 32 (or of 256, cut into 32s or 16s). In each of the types below a weight is

    weight = scale * q + low        q: a whole number of at most 8 bits; low: absent in the symmetric types

This takes the bits apart and stops there, so that the caller may keep q as it is. That matters: ONNX stores
quantised weights in the same way, so rounding them a second time would lose precision for nothing.

A block is `d` (a float16 scale), sometimes `m` or `dmin` (float16), then packed q. In the K types one d
scales sub-scales of 6 or 8 bits. Layouts: the block structs of ggml-common.h.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import StoreError

Bytes = NDArray[np.uint8]
_FOUR = np.uint8(4)  # shifting by a plain 4 would widen the type in the eyes of mypy
Floats = NDArray[np.float32]


class Blocks(NamedTuple):
    """q has shape (rows, blocks, weights of a block); scale and low have shape (rows, blocks)."""

    q: NDArray[np.int8]
    scale: Floats
    low: Floats | None = None

    def weights(self) -> Floats:
        """The weights in float32, shape (rows, columns)."""
        values = self.q * self.scale[..., None]
        if self.low is not None:
            values += self.low[..., None]
        return values.reshape(len(values), -1)


def take_apart(raw: Bytes, type_name: str) -> Blocks:
    """Rows of raw bytes (see `GgufFile.rows`) of a block type -> whole numbers and scales."""
    if type_name not in _TYPES:
        raise StoreError(
            f"Weights of ggml type {type_name} cannot be converted; "
            f"these can: {', '.join([*_TYPES, *PLAIN])}.",
            hint="Choose another GGUF file of this model, such as Q4_K_M or Q8_0.",
        )
    size, unpack = _TYPES[type_name]
    return unpack(raw.reshape(len(raw), -1, size))


def plain(raw: Bytes, type_name: str) -> Floats:
    """Rows of a type that has no blocks, in float32."""
    return PLAIN[type_name](raw)


def decoded(raw: Bytes, type_name: str) -> Floats:
    """Rows of any type, in float32."""
    return plain(raw, type_name) if type_name in PLAIN else take_apart(raw, type_name).weights()


def _half(block: Bytes, at: int) -> Floats:
    """The float16 at byte `at` of every block."""
    return block[..., at : at + 2].copy().view(np.float16)[..., 0].astype(np.float32)


def _nibbles(packed: Bytes) -> Bytes:
    """ggml keeps a block's first half in the low nibbles and its second half in the high ones."""
    return np.concatenate([packed & 15, packed >> 4], axis=-1)


def _fifth_bits(packed: Bytes) -> Bytes:
    """32 bits in 4 bytes, one for each weight, in the place where they are added (16)."""
    return np.unpackbits(packed, axis=-1, bitorder="little") << _FOUR


def _signed(values: Bytes, minus: int) -> NDArray[np.int8]:
    return (values.astype(np.int16) - minus).astype(np.int8)


def _q4_0(block: Bytes) -> Blocks:
    return Blocks(_signed(_nibbles(block[..., 2:]), 8), _half(block, 0))


def _q4_1(block: Bytes) -> Blocks:
    return Blocks(_nibbles(block[..., 4:]).view(np.int8), _half(block, 0), _half(block, 2))


def _q5_0(block: Bytes) -> Blocks:
    return Blocks(_signed(_nibbles(block[..., 6:]) | _fifth_bits(block[..., 2:6]), 16), _half(block, 0))


def _q5_1(block: Bytes) -> Blocks:
    q = _nibbles(block[..., 8:]) | _fifth_bits(block[..., 4:8])
    return Blocks(q.view(np.int8), _half(block, 0), _half(block, 2))


def _q8_0(block: Bytes) -> Blocks:
    return Blocks(block[..., 2:].copy().view(np.int8), _half(block, 0))


def _q4_k(block: Bytes) -> Blocks:
    return _with_sub_scales(block, _pairs(block[..., 16:]))


def _q5_k(block: Bytes) -> Blocks:
    """Bit i of the 32 bytes at 16 is the fifth bit of the 32 weights of sub-block i."""
    high: Bytes = block[..., None, 16:48] >> np.arange(8, dtype=np.uint8)[:, None] & np.uint8(1)
    q: Bytes = _pairs(block[..., 48:]) | high << _FOUR
    return _with_sub_scales(block, q)


def _pairs(packed: Bytes) -> Bytes:
    """128 bytes -> 8 sub-blocks of 32: each 32 bytes hold one in the low and the next in the high nibbles."""
    four = packed.reshape(*packed.shape[:-1], 4, 1, 32)
    both = np.concatenate([four & 15, four >> 4], axis=-2)
    return both.reshape(*packed.shape[:-1], 8, 32)


def _with_sub_scales(block: Bytes, q: Bytes) -> Blocks:
    """d, dmin and 8 pairs of 6-bit (scale, minimum) in 12 bytes: weight = d*scale*q - dmin*minimum."""
    packed = block[..., 4:16]
    first, second, mixed = packed[..., :4], packed[..., 4:8], packed[..., 8:]
    scales = np.concatenate([first & 63, (mixed & 15) | (first >> 6) << 4], axis=-1)
    minimums = np.concatenate([second & 63, mixed >> 4 | (second >> 6) << 4], axis=-1)
    rows = len(block)
    scale = (_half(block, 0)[..., None] * scales).reshape(rows, -1)
    low = (-_half(block, 2)[..., None] * minimums).reshape(rows, -1)
    return Blocks(q.reshape(rows, -1, 32).view(np.int8), scale, low)


def _q6_k(block: Bytes) -> Blocks:
    """Two halves of 128 weights: 64 bytes of low nibbles, 32 bytes of upper pairs of bits; 16 scales."""
    rows, count = block.shape[:2]
    nibbles = block[..., :128].reshape(rows, count, 2, 1, 64)
    low = np.concatenate([nibbles & 15, nibbles >> 4], axis=-2).reshape(rows, count, 2, 4, 32)
    upper = block[..., 128:192].reshape(rows, count, 2, 1, 32)
    high = upper >> np.array([0, 2, 4, 6], dtype=np.uint8)[:, None] & 3
    q = _signed(low | high << 4, 32).reshape(rows, -1, 16)
    scales = block[..., 192:208].copy().view(np.int8)
    return Blocks(q, (_half(block, 208)[..., None] * scales).reshape(rows, -1))


def _bfloat16(raw: Bytes) -> Floats:
    return (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


# type -> bytes of a block, and how to take one apart
_TYPES: dict[str, tuple[int, Callable[[Bytes], Blocks]]] = {
    "Q4_0": (18, _q4_0),
    "Q4_1": (20, _q4_1),
    "Q5_0": (22, _q5_0),
    "Q5_1": (24, _q5_1),
    "Q8_0": (34, _q8_0),
    "Q4_K": (144, _q4_k),
    "Q5_K": (176, _q5_k),
    "Q6_K": (210, _q6_k),
}
FOUR_BITS = frozenset({"Q4_0", "Q4_1", "Q4_K"})
PLAIN: dict[str, Callable[[Bytes], Floats]] = {
    "F32": lambda raw: raw.view(np.float32),
    "F16": lambda raw: raw.view(np.float16).astype(np.float32),
    "BF16": _bfloat16,
}
