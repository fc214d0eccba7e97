"""Read a GGUF file: its metadata, and where each tensor's bytes lie.

A GGUF file is a header, key-value metadata, a list of tensors, padding, and then the tensors' bytes:

    "GGUF" | version u32 | tensor count u64 | key count u64
    key count    x  name, type u32, value
    tensor count x  name, dimension count u32, dimensions u64 (fastest first), type u32, offset u64
    padding up to `general.alignment`, from where the offsets count

The `gguf` package reads the same, but keeps every one of 150,000 vocabulary entries as a few numpy arrays,
which takes over ten seconds; this takes a fraction of one. It leaves the blocks of quantised tensors as they
are (`blocks.py` takes them apart), does not write, and reads versions 2 and 3 in little-endian order.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import IntegrityError

_MAGIC = b"GGUF"
_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

# ggml type -> (name, weights in a block, bytes of a block), from ggml's block structs.
TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    30: ("BF16", 1, 2),
}


class Tensor(NamedTuple):
    """One tensor. `shape` is in numpy order: rows first, the quantised dimension last."""

    name: str
    shape: tuple[int, ...]
    type_id: int
    offset: int

    @property
    def type_name(self) -> str:
        return TYPES[self.type_id][0]

    @property
    def row_bytes(self) -> int:
        _, block, size = TYPES[self.type_id]
        return self.shape[-1] // block * size

    @property
    def rows(self) -> int:
        return int(np.prod(self.shape[:-1], dtype=np.int64))


class GgufFile:
    """An open GGUF file. Tensor bytes are views of the file, so nothing is read before it is used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as stream:
            size = path.stat().st_size
            self._data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        try:
            self.metadata, self.tensors = self._read()
        except (struct.error, UnicodeDecodeError, ValueError, KeyError, OverflowError) as error:
            raise IntegrityError(f"{path.name} is no readable GGUF file: {error}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if isinstance(self._data, mmap.mmap):
            self._data.close()

    def rows(self, tensor: Tensor, first: int = 0, last: int | None = None) -> NDArray[np.uint8]:
        """The raw bytes of rows `first` to `last`, shape (rows, bytes of a row); a copy."""
        last = tensor.rows if last is None else min(last, tensor.rows)
        start = tensor.offset + first * tensor.row_bytes
        stop = tensor.offset + last * tensor.row_bytes
        raw = np.frombuffer(self._data[start:stop], dtype=np.uint8)
        return raw.reshape(last - first, tensor.row_bytes)

    def _read(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        if self._data[:4] != _MAGIC:
            raise ValueError(f"it starts with {bytes(self._data[:4])!r}, not {_MAGIC!r}")
        cursor = _Cursor(self._data, 4)
        version = cursor.scalar("I")
        if version not in (2, 3):
            raise ValueError(f"version {version}; 2 and 3 are readable")
        tensor_count, key_count = cursor.scalar("Q"), cursor.scalar("Q")
        metadata = {cursor.string(): cursor.value(cursor.scalar("I")) for _ in range(key_count)}
        found = [_tensor(cursor) for _ in range(tensor_count)]
        alignment = int(metadata.get("general.alignment", 32))
        start = -(-cursor.at // alignment) * alignment
        placed = (tensor._replace(offset=start + tensor.offset) for tensor in found)
        return metadata, {tensor.name: self._checked(tensor) for tensor in placed}

    def _checked(self, tensor: Tensor) -> Tensor:
        if tensor.type_id not in TYPES:
            raise ValueError(f"tensor {tensor.name!r} has unknown type {tensor.type_id}")
        block = TYPES[tensor.type_id][1]
        if not tensor.shape or tensor.shape[-1] % block:
            raise ValueError(f"tensor {tensor.name!r} of shape {tensor.shape} has no whole blocks of {block}")
        if tensor.offset + tensor.rows * tensor.row_bytes > len(self._data):
            raise ValueError(f"tensor {tensor.name!r} ends after the file")
        return tensor


def _tensor(cursor: _Cursor) -> Tensor:
    name = cursor.string()
    dimensions = cursor.scalars("Q", cursor.scalar("I"))
    return Tensor(name, tuple(reversed(dimensions)), cursor.scalar("I"), cursor.scalar("Q"))


class _Cursor:
    """A place in the file that moves on as values are read."""

    def __init__(self, data: mmap.mmap | bytes, at: int) -> None:
        self._data = data
        self.at = at

    def scalars(self, code: str, count: int) -> tuple[Any, ...]:
        layout = f"<{count}{code}"
        values = struct.unpack_from(layout, self._data, self.at)
        self.at += struct.calcsize(layout)
        return values

    def scalar(self, code: str) -> Any:
        return self.scalars(code, 1)[0]

    def string(self) -> str:
        length = self.scalar("Q")
        text = self._data[self.at : self.at + length]
        if len(text) != length:
            raise ValueError(f"a string of {length} bytes ends after the file")
        self.at += length
        return text.decode("utf-8")

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            return self.scalar(_SCALARS[kind])
        if depth > 4:
            raise ValueError("arrays are nested too deep")
        inner, count = self.scalar("I"), self.scalar("Q")
        if inner in _SCALARS:
            return list(self.scalars(_SCALARS[inner], count))
        return [self.value(inner, depth + 1) for _ in range(count)]
