"""Weights in the form that onnxruntime's block-quantised operators read.

    weight = scale * (code - 8)     4 bits, two codes in a byte, low nibble first
    weight = scale * (code - 128)   8 bits

with one scale for every 32 weights of a row. ggml's 4-bit types also have a `low` per block, for which the
operator has only a zero point of 4 bits. Rounding `low` to it costs as much as rounding the weights anew. So
it is kept apart as `offset` (see `convert_decoder.py`): weight = scale * (code - 8) + offset, exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.store.blocks import FOUR_BITS, PLAIN, Blocks, Bytes, Floats, plain, take_apart

BLOCK = 32


class Packed(NamedTuple):
    """codes: (rows, blocks, bytes of a block); scale and offset: (rows, blocks)."""

    bits: int
    codes: Bytes
    scale: Floats
    offset: Floats | None = None


def bits_for(type_names: set[str], precision: str) -> int:
    """How many bits a matrix gets. `native` never has fewer than what was published."""
    if precision == "native":
        return 4 if type_names <= FOUR_BITS else 8
    return 4 if precision == "int4" else 8


def pack(raw: Bytes, type_name: str, precision: str, bits: int) -> Packed:
    """Rows of a tensor in `bits` bits: as published where that is possible, else rounded."""
    if type_name in PLAIN:
        return _round(plain(raw, type_name), bits)
    blocks = take_apart(raw, type_name)
    if bits == 4 and precision == "native":
        return _keep_four(blocks)
    if bits == 8 and blocks.low is None and blocks.q.shape[-1] == BLOCK:
        return Packed(8, blocks.q.view(np.uint8) ^ np.uint8(128), blocks.scale)
    return _round(blocks.weights(), bits)


def _keep_four(blocks: Blocks) -> Packed:
    if blocks.low is None:
        return Packed(4, _pairs((blocks.q + 8).view(np.uint8)), blocks.scale)
    return Packed(4, _pairs(blocks.q.view(np.uint8)), blocks.scale, blocks.low + 8 * blocks.scale)


def _round(weights: Floats, bits: int) -> Packed:
    """To the nearest code. The weight of largest size in a block gets the code at the end of the range."""
    blocks = weights.reshape(len(weights), -1, BLOCK)
    scale = _signed_peak(blocks) / -8 if bits == 4 else np.abs(blocks).max(axis=-1) / 127
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)
    middle, end = (8, 15) if bits == 4 else (128, 255)
    codes = np.clip(np.rint(blocks * inverse[..., None]) + middle, 0, end).astype(np.uint8)
    return Packed(bits, _pairs(codes) if bits == 4 else codes, scale.astype(np.float32))


def _signed_peak(blocks: Floats) -> Floats:
    """The weight of largest size with its sign, so that it becomes -8: the range is -8 to 7."""
    at = np.abs(blocks).argmax(axis=-1)[..., None]
    return np.take_along_axis(blocks, at, axis=-1)[..., 0]


def _pairs(codes: Bytes) -> Bytes:
    return codes[..., 0::2] | codes[..., 1::2] << np.uint8(4)


def unpacked(packed: Packed) -> NDArray[np.float32]:
    """The weights that an operator computes with, in float32 (for tests and checks)."""
    codes = packed.codes
    if packed.bits == 4:
        codes = np.stack([codes & 15, codes >> 4], axis=-1).reshape(*codes.shape[:-1], BLOCK)
    values = (codes.astype(np.float32) - (8 if packed.bits == 4 else 128)) * packed.scale[..., None]
    if packed.offset is not None:
        values += packed.offset[..., None]
    return values.reshape(len(values), -1)
