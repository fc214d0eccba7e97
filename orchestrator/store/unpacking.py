"""Take a model's files out of an archive that was fetched whole: some are published as a zip file in parts.

The archive's sha256 is on the card and was checked before; so what is in it is what the card's author saw.
Still no more may come out than an archive of weights can honestly hold, lest a few bytes fill the
disk.
"""

from __future__ import annotations

import lzma
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import IntegrityError, StoreError
from orchestrator.store.staging import Stage
from orchestrator.types import ModelCard, ModelFile

_MOST_TIMES = 20  # as large as the archive; weights hardly shrink, so an honest one stays far below
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, RuntimeError, ValueError),  # another compression, or a password
)


def unpacked(card: ModelCard, fetched: Mapping[str, Path], stage: Stage) -> dict[str, Path]:
    """The model's files by name.

    Raises StoreError for a member that is not there, IntegrityError for a bad archive.
    """
    found: dict[str, Path] = {}
    for file in card.files:
        path = fetched[file.name]
        if file.unpack:
            found |= _members(card, file, path, stage.make(f"unpacked-{file.sha256[:16]}"))
        else:
            found[file.name] = path
    return found


def _members(card: ModelCard, file: ModelFile, path: Path, folder: Path) -> dict[str, Path]:
    try:
        with zipfile.ZipFile(path) as archive:
            wanted = {name: _member(archive, card, file, member) for name, member in file.unpack.items()}
            _refuse_bomb(card, file, sum(info.file_size for info in wanted.values()))
            return {
                name: _take(archive, info, folder / str(place))
                for place, (name, info) in enumerate(wanted.items())
            }
    except _UNREADABLE as error:
        raise IntegrityError(
            f"{file.name!r} of {card.name!r} cannot be unpacked: {error}.",
            hint="It must be a plain zip archive, without a password. Correct the card.",
        ) from error


def _member(archive: zipfile.ZipFile, card: ModelCard, file: ModelFile, member: str) -> zipfile.ZipInfo:
    found = archive.NameToInfo.get(member)
    if found is None or found.is_dir():
        inside = ", ".join(sorted(info.filename for info in archive.infolist() if not info.is_dir())[:8])
        raise StoreError(
            f"{file.name!r} of {card.name!r} has no member {member!r} that is a file.",
            hint=f"It holds: {inside}. Correct `unpack` on the card.",
        )
    return found


def _refuse_bomb(card: ModelCard, file: ModelFile, size_bytes: int) -> None:
    if size_bytes > _MOST_TIMES * file.size_bytes:
        raise IntegrityError(
            f"What {file.name!r} of {card.name!r} is unpacked to would have {size_bytes:,} bytes, "
            f"more than {_MOST_TIMES} times the archive."
        )


def _take(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> Path:
    with archive.open(info) as source, target.open("wb") as made:
        shutil.copyfileobj(source, made, 1 << 20)
    return target
