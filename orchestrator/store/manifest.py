"""What an installed model is: its key, and the manifest that lies beside its files.

The key is a hash over everything that decides the resulting bytes: the source files' hashes, the recipe
with its options, and the recipe's own version. A card's description, licence or measured figures are not
in it, so editing those re-installs nothing. Tool versions are not in it either, or every upgrade of torch
would throw all models away; they are written into the manifest, where a difference can be explained.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from orchestrator.errors import IntegrityError
from orchestrator.store.files import regular_files, sha256_of
from orchestrator.types import Conversion, ModelCard, Record

MANIFEST = "manifest.json"
Marks = tuple[tuple[int, int], ...]

# Raise a number when a change in the code makes that recipe write different bytes.
RECIPE_VERSIONS = {"none": 1, "gguf-to-genai": 3, "hf-to-genai": 1, "encoder-to-onnx": 2}


class InstalledFile(Record):
    """One file of an installed model, with a path relative to the model's folder."""

    path: str
    sha256: str
    size_bytes: int


class SourceFile(Record):
    """One file that was fetched, and from where."""

    name: str
    sha256: str
    size_bytes: int
    parts: tuple[str, ...]


class Manifest(Record):
    """What was installed, from what, with which tools and at what cost.

    `peak_memory_bytes` and `conversion_s` are measured in the converting process; None: no conversion.
    """

    format: int = 1
    model: str
    key: str
    sources: tuple[SourceFile, ...]
    files: tuple[InstalledFile, ...]
    conversion: Conversion
    tools: dict[str, str] = {}
    peak_memory_bytes: int | None = None
    conversion_s: float | None = None
    installed_at: str

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def card_key(card: ModelCard) -> str:
    conversion = card.conversion
    identity = {
        "files": sorted(
            (file.name, file.sha256, *([file.unpack] if file.unpack else [])) for file in card.files
        ),
        "recipe": conversion.recipe,
        "recipe_version": RECIPE_VERSIONS[conversion.recipe],
        "precision": conversion.precision,
        "options": conversion.options,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def sources_of(card: ModelCard) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(**file.model_dump(exclude={"unpack"})) for file in card.files)


def describe(folder: Path, hashed: Callable[[str], None] | None = None) -> tuple[InstalledFile, ...]:
    """Hash every file below `folder` but the manifest. `hashed` hears each path once it is done."""
    found = []
    for path in regular_files(folder):
        name = path.relative_to(folder).as_posix()
        if name != MANIFEST:
            found.append(InstalledFile(path=name, sha256=sha256_of(path), size_bytes=path.stat().st_size))
            if hashed:
                hashed(name)
    return tuple(found)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", "utf-8")


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None when there is none, or none that this version understands."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return None


def looks_complete(folder: Path, manifest: Manifest) -> bool:
    """Whether every file is there with its size. Cheap: reads no content; `check_files` does."""
    return all(_size(folder / file.path) == file.size_bytes for file in manifest.files)


def marks_of(folder: Path, manifest: Manifest) -> Marks:
    """Size and time of the manifest and of each file; () where one is gone."""
    try:
        found = [(folder / name).lstat() for name in (MANIFEST, *(file.path for file in manifest.files))]
    except OSError:
        return ()
    return tuple((each.st_size, each.st_mtime_ns) for each in found)


def was_touched(folder: Path, manifest: Manifest) -> bool:
    """Whether a file is newer than the manifest, which is written last. A copied cache may look so too."""
    written_ns = (folder / MANIFEST).stat().st_mtime_ns
    return any((folder / file.path).stat().st_mtime_ns > written_ns for file in manifest.files)


def _size(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except OSError:
        return None


def check_files(folder: Path, manifest: Manifest) -> None:
    """Hash everything again. Raises IntegrityError that lists what changed, is missing or was added."""
    recorded = {file.path: file.sha256 for file in manifest.files}
    present = {file.path: file.sha256 for file in describe(folder)}
    wrong = [
        *(f"{path} changed" for path in recorded if path in present and present[path] != recorded[path]),
        *(f"{path} is missing" for path in recorded.keys() - present.keys()),
        *(f"{path} was added" for path in present.keys() - recorded.keys()),
    ]
    if wrong:
        raise IntegrityError(
            f"Model {manifest.model!r} is not what was installed: {'; '.join(sorted(wrong))}.",
            hint=f"`lilliput models rm {manifest.model}`, then `lilliput models pull {manifest.model}`.",
        )
