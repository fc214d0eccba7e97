"""Small things done to files: hash, join, flush to the disk, move a folder into place at once, measure.

Knows nothing about models. Everything streams, because one file may be larger than memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.errors import UserError

_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def join(sources: Iterable[Path], target: Path) -> tuple[str, int]:
    """Write the sources one after the other into `target`; its sha256 and size, hashed on the way."""
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as out:
        for chunk in _chunks(sources):
            digest.update(chunk)
            out.write(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _chunks(sources: Iterable[Path]) -> Iterator[bytes]:
    for source in sources:
        with source.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk


def regular_files(folder: Path) -> list[Path]:
    """All files below `folder`, sorted by path; folders themselves are left out."""
    return sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())


def tree_bytes(path: Path) -> int:
    """Bytes below a folder, or of one file. Files that vanish meanwhile count nothing."""
    if not path.is_dir():
        return _size(path)
    # os.walk passes over a folder that another process deletes under it; Path.rglob raises.
    return sum(_size(Path(parent, name)) for parent, _, names in os.walk(path) for name in names)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def remove(path: Path) -> int:
    """Delete a file or a folder; the bytes that were in it."""
    freed = tree_bytes(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return freed


def replace_text(file: Path, text: str) -> None:
    """The new text or, whatever is killed when, the old one; folders on the way are made.

    Raises UserError where that cannot be written.
    """
    temporary = file.with_name(f".{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, "utf-8")
        temporary.replace(file)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserError(
            f"{file} cannot be written: {error.strerror}.",
            hint="Name another file or folder, or mend its rights.",
        ) from error


def folder_hash(folder: Path) -> str:
    """sha256 over the names and contents of the files that lie in a folder itself."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return hashlib.sha256(json.dumps({path.name: sha256_of(path) for path in files}).encode()).hexdigest()


def hash_of(value: Any) -> str:
    """sha256 of a value as JSON, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def publish(folder: Path, target: Path) -> None:
    """Move a finished folder to `target` in one step, and only once its bytes are on the disk.

    `target` must not exist. Without the flush, a power cut after the rename could leave a folder that
    looks complete and holds empty files.
    """
    for path in [*regular_files(folder), *(p for p in folder.rglob("*") if p.is_dir()), folder]:
        _flush(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(target)
    _flush(target.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
