"""What has been fetched and is not installed yet.

    downloads/files/<sha256>        a whole file, verified; two cards that name the same file share it
    downloads/parts/<key>           a finished part, by the hash of where it comes from
    downloads/parts/<key>.partial   a part that a cut connection left behind; the next pull resumes it

    sources/<model>/<name>          kept for training; copied from there instead of fetched again

A part has no hash of its own on the card, so it proves nothing until the file that it belongs to is
assembled and hashed. Bytes that turn out wrong are deleted at once, lest they poison the next pull.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from orchestrator.store.files import remove
from orchestrator.types import ModelCard, ModelFile

PARTIAL = ".partial"


class Downloads:
    def __init__(self, cache_dir: Path) -> None:
        self.files = cache_dir / "downloads" / "files"
        self.parts = cache_dir / "downloads" / "parts"
        self._kept = cache_dir / "sources"
        self._locks = cache_dir / "locks"

    def make(self) -> None:
        self.files.mkdir(parents=True, exist_ok=True)
        self.parts.mkdir(parents=True, exist_ok=True)

    def file(self, file: ModelFile) -> Path:
        return self.files / file.sha256

    def part(self, source: str) -> Path:
        return self.parts / _key(source)

    def partial(self, source: str) -> Path:
        return self.parts / (_key(source) + PARTIAL)

    def lock(self, what: str) -> Path:
        return self._locks / f"fetch-{_key(what)}.lock"

    def cached_bytes(self, file: ModelFile) -> int:
        """How much of a file is here already."""
        if self.file(file).is_file() or self._kept_file(file):
            return file.size_bytes
        found = sum(_size(self.part(source)) or _size(self.partial(source)) for source in file.parts)
        return min(found, file.size_bytes)

    def take_kept(self, file: ModelFile, stage: Path) -> None:
        """Copy what training has kept, if it is there; whoever uses it hashes it first."""
        if kept := self._kept_file(file):
            copied = stage / f"kept-{file.sha256}"
            shutil.copyfile(kept, copied)
            copied.replace(self.file(file))

    def _kept_file(self, file: ModelFile) -> Path | None:
        found = (place for place in self._kept.glob(f"*/{file.name}") if _size(place) == file.size_bytes)
        return next(found, None)

    def forget_parts(self, file: ModelFile) -> int:
        freed = sum(remove(self.part(source)) for source in file.parts)
        return freed + sum(remove(self.partial(source)) for source in file.parts)

    def forget(self, card: ModelCard) -> int:
        return sum(remove(self.file(file)) + self.forget_parts(file) for file in card.files)

    def keep_only(self, cards: Iterable[ModelCard]) -> int:
        """Delete every download that none of these cards needs. `cards` is only read if there is any."""
        present = [path for root in (self.files, self.parts) if root.is_dir() for path in root.iterdir()]
        if not present:
            return 0
        files = [file for card in cards for file in card.files]
        keep = {self.file(file) for file in files}
        for file in files:
            for source in file.parts:
                keep |= {self.part(source), self.partial(source)}
        return sum(remove(path) for path in present if path not in keep)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
