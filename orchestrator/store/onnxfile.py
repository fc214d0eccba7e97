"""Find where an ONNX file says that its weights lie, without the `onnx` package.

A model that is used as published never passes through the converter, and serving does not install `onnx`.
An ONNX file is a protobuf message; this walks only the branches that can hold a tensor and yields the
`location` of each one that keeps its data in another file. Field numbers: onnx.proto.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import IntegrityError

# message -> field number -> the message inside it that may lead to a tensor.
_BRANCHES: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},
}
_DEEPEST = 60


def external_locations(path: Path) -> set[str]:
    """Every external data location in the file. Raises IntegrityError when it is no ONNX file."""
    if path.stat().st_size == 0:
        raise IntegrityError(f"{path.name} is empty, so it is no ONNX file.")
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return set(_walk(data, 0, len(data), "Model", 0))
        except (IndexError, UnicodeDecodeError, ValueError) as error:
            raise IntegrityError(f"{path.name} is no ONNX file: {error}.") from error


def _walk(data: mmap.mmap, start: int, end: int, message: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError(f"graphs are nested more than {_DEEPEST} deep")
    branches = _BRANCHES[message]
    for number, first, last in _fields(data, start, end):
        inner = branches.get(number)
        if inner == "Entry":
            yield from _location(data, first, last)
        elif inner:
            yield from _walk(data, first, last, inner, depth + 1)


def _location(data: mmap.mmap, start: int, end: int) -> Iterator[str]:
    """A StringStringEntry: key is field 1, value is field 2."""
    entry = {number: data[first:last].decode() for number, first, last in _fields(data, start, end)}
    if entry.get(1) == "location":
        yield entry.get(2, "")


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, begin and end of each length-delimited field; fields of a fixed size are skipped."""
    while start < end:
        tag, start = _varint(data, start)
        wire = tag & 7
        if wire == 0:
            _, start = _varint(data, start)
        elif wire == 2:
            length, start = _varint(data, start)
            if start + length > end:
                raise ValueError(f"a field ends after its message at byte {start}")
            yield tag >> 3, start, start + length
            start += length
        elif wire in (1, 5):
            start += 8 if wire == 1 else 4
        else:
            raise ValueError(f"unknown wire type {wire} at byte {start}")


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError(f"a number longer than 64 bits at byte {at}")
