"""Read a safetensors file: 8 bytes of length, a JSON header, and the arrays, mapped and not copied.

The `safetensors` package does the same and more; this is the part that a conversion needs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.errors import IntegrityError
from orchestrator.store.blocks import PLAIN, Floats

_LONGEST_HEADER = 100_000_000


def read_safetensors(path: Path) -> dict[str, Floats]:
    """All floating-point tensors by name, in float32. Integer tensors are left out."""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    try:
        header, start = _header(data)
        return {
            name: _tensor(data, start, entry)
            for name, entry in header.items()
            if name != "__metadata__" and entry["dtype"] in PLAIN
        }
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{path.name} is no readable safetensors file: {error}.") from error


def read_metadata(path: Path) -> dict[str, str]:
    """What the file says of itself; empty where it says nothing."""
    try:
        header, _ = _header(np.memmap(path, dtype=np.uint8, mode="r"))
        return dict(header.get("__metadata__", {}))
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"{path.name} is no readable safetensors file: {error}.") from error


def _header(data: Any) -> tuple[dict[str, Any], int]:
    length = int(data[:8].view("<u8")[0])
    if length > min(len(data) - 8, _LONGEST_HEADER):
        raise ValueError(f"its header of {length} bytes ends after the file")
    return json.loads(data[8 : 8 + length].tobytes()), 8 + length


def _tensor(data: Any, start: int, entry: dict[str, Any]) -> Floats:
    first, last = entry["data_offsets"]
    if not 0 <= first <= last <= len(data) - start:
        raise ValueError(f"a tensor lies at {first} to {last}, outside the file")
    return PLAIN[entry["dtype"]](data[start + first : start + last]).reshape(entry["shape"])
