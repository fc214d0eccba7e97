"""What a pull will take, worked out and judged before anything is downloaded."""

from __future__ import annotations

import importlib.util
import platform
from pathlib import Path

from orchestrator.errors import NotEnoughResources, StoreError
from orchestrator.store.downloads import Downloads
from orchestrator.store.resources import Machine
from orchestrator.types import ModelCard, Record

# What each recipe imports in its child process; found out before a gigabyte has been fetched.
_TOOLS = {
    "none": (),
    "gguf-to-genai": ("onnx", "tokenizers"),
    "hf-to-genai": ("onnx", "onnx_ir", "onnxruntime_genai", "torch", "transformers"),
    "encoder-to-onnx": ("onnx", "onnxruntime", "tokenizers"),
}


class PullPlan(Record):
    """The figures. Needs are None where the card does not declare them; then nothing can be refused."""

    model: str
    state: str
    recipe: str
    download_bytes: int
    cached_bytes: int
    disk_needed_bytes: int | None
    disk_free_bytes: int
    memory_needed_bytes: int | None
    memory_available_bytes: int

    def text(self) -> str:
        """One line for people."""
        if self.state == "installed":
            return f"{self.model} is installed; nothing to download."
        here = f" ({_size(self.cached_bytes)} are here already)" if self.cached_bytes else ""
        memory = f"{_size(self.memory_needed_bytes)} of {_size(self.memory_available_bytes)}"
        return (
            f"{self.model}: download {_size(self.download_bytes)}{here}; "
            f"disk needed {_size(self.disk_needed_bytes)} of {_size(self.disk_free_bytes)} free"
            + ("." if self.recipe == "none" else f"; memory to convert {memory}.")
        )


def make_plan(card: ModelCard, cache_dir: Path, downloads: Downloads, machine: Machine) -> PullPlan:
    """The plan for a card that is not installed."""
    cached = sum(downloads.cached_bytes(file) for file in card.files)
    missing = card.download_bytes - cached
    return PullPlan(
        model=card.name,
        state="absent",
        recipe=card.conversion.recipe,
        download_bytes=missing,
        cached_bytes=cached,
        disk_needed_bytes=_disk_needed(card, missing),
        disk_free_bytes=machine.disk_free_bytes(cache_dir),
        memory_needed_bytes=0 if card.conversion.recipe == "none" else card.conversion.peak_memory_bytes,
        memory_available_bytes=machine.memory_available_bytes(),
    )


def installed_plan(card: ModelCard, cache_dir: Path, machine: Machine) -> PullPlan:
    return PullPlan(
        model=card.name,
        state="installed",
        recipe=card.conversion.recipe,
        download_bytes=0,
        cached_bytes=0,
        disk_needed_bytes=0,
        disk_free_bytes=machine.disk_free_bytes(cache_dir),
        memory_needed_bytes=0,
        memory_available_bytes=machine.memory_available_bytes(),
    )


def _disk_needed(card: ModelCard, missing: int) -> int | None:
    """The downloads, and on top the larger of joining parts (a copy) and converting (`disk_bytes`)."""
    joining = max((file.size_bytes for file in card.files if len(file.parts) > 1), default=0)
    converting = card.conversion.disk_bytes
    if card.conversion.recipe == "none":
        # What is unpacked lies there twice; about as large as its archive, as weights hardly shrink.
        converting = card.download_bytes + sum(file.size_bytes for file in card.files if file.unpack)
    return None if converting is None else missing + max(joining, converting)


def refuse_if_impossible(plan: PullPlan, card: ModelCard) -> None:
    """Raise StoreError or NotEnoughResources, with the figures and what to do."""
    missing_tools = [name for name in _TOOLS[plan.recipe] if importlib.util.find_spec(name) is None]
    if missing_tools:
        raise StoreError(
            f"Converting {card.name!r} ({plan.recipe}) needs {', '.join(missing_tools)}.",
            hint='Type: pip install "lilliput[torch]"',
        )
    if plan.disk_needed_bytes is not None and plan.disk_needed_bytes > plan.disk_free_bytes:
        raise NotEnoughResources(
            f"{card.name!r} needs {_size(plan.disk_needed_bytes)} of free disk, and "
            f"{_size(plan.disk_free_bytes)} are free. Nothing was downloaded.",
            hint="Free some, or keep models on another disk: set LILLIPUT_CACHE_DIR.",
        )
    if plan.memory_needed_bytes is not None and plan.memory_needed_bytes > plan.memory_available_bytes:
        raise NotEnoughResources(
            f"Converting {card.name!r} needs {_size(plan.memory_needed_bytes)} of memory, and "
            f"{_size(plan.memory_available_bytes)} are available. Nothing was downloaded.",
            hint="Close other programs, choose a smaller model (`lilliput models list`), or convert it on "
            f"a larger {platform.system()} machine and copy the folder that `lilliput models show "
            f"{card.name}` names.",
        )


def _size(count: int | None) -> str:
    if count is None:
        return "(not declared)"
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
