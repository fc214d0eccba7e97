"""What the runtimes share about this machine: importing native libraries safely, devices, sizes of files.

No session lives here and nothing is loaded at import time.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from orchestrator.errors import StoreError, UserError
from orchestrator.types import ModelCard

# Idle ONNX Runtime threads spin by default. With several sessions on two busy cores that halved both
# speeds measured here (encoder 12 -> 6 ms a text, decode 23 -> 41 tokens/s) and cost a third more CPU time.
NO_SPINNING = {"session.intra_op.allow_spinning": "0"}


def import_onnxruntime() -> Any:
    # Official wheels report usage unless this is set before the import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def import_genai() -> Any:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime_genai

    return onnxruntime_genai


def has_cuda() -> bool:
    """Whether the installed onnxruntime can use a CUDA device. False where onnxruntime is missing."""
    try:
        return "CUDAExecutionProvider" in import_onnxruntime().get_available_providers()
    except ImportError:
        return False


def choose_device(asked: str, *, cuda_found: bool, library: str, mend: str) -> str:
    """'cpu' or 'cuda'. Raises UserError where CUDA was asked for by name and `library` has none."""
    if asked == "cuda" and not cuda_found:
        raise UserError(
            f"Device 'cuda' was asked for, but the installed {library} finds no CUDA device (found: cpu).",
            hint=f"{mend}, or set device: cpu (LILLIPUT_DEVICE=cpu).",
        )
    if asked == "auto":
        return "cuda" if cuda_found else "cpu"
    return asked


def need_file(card: ModelCard, folder: Path, name: str) -> Path:
    """The file of an installed model. Raises StoreError with the command that brings it."""
    path = folder / name
    if not path.is_file():
        raise StoreError(
            f"Model {card.name!r} has no {name} in {folder}.",
            hint=f"Type `lilliput models pull {card.name}`.",
        )
    return path


def folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def estimated_bytes(card: ModelCard, folder: Path) -> int:
    """Memory that loading is expected to take: what the card says, else its files and a fifth for buffers."""
    if card.runtime == "remote":
        return 0
    if card.memory_bytes is not None:
        return card.memory_bytes
    return int(folder_bytes(folder) * 1.2) if card.files else 0
