"""Take a model's files out of an archive that was fetched whole: some are published as a zip file in parts.

The archive's sha256 is on the card and was checked before; so what is in it is what the card's author saw.
Still no member may come out larger than an archive of weights can honestly hold, lest a few bytes fill the
disk.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import IntegrityError, StoreError
from orchestrator.store.staging import Stage
from orchestrator.types import ModelCard, ModelFile

_MOST_TIMES = 20  # as large as the archive; weights hardly shrink, so an honest one stays far below


def unpacked(card: ModelCard, fetched: Mapping[str, Path], stage: Stage) -> dict[str, Path]:
    """The model's files by name.

    Raises StoreError for a member that is not there, IntegrityError for a bad archive.
    """
    found: dict[str, Path] = {}
    for file in card.files:
        path = fetched[file.name]
        found |= _members(card, file, path, stage.make("unpacked")) if file.unpack else {file.name: path}
    return found


def _members(card: ModelCard, file: ModelFile, path: Path, folder: Path) -> dict[str, Path]:
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                name: _take(archive, card, file, member, folder / str(place))
                for place, (name, member) in enumerate(file.unpack.items())
            }
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise IntegrityError(
            f"{file.name!r} of {card.name!r} cannot be unpacked: {error}.",
            hint="It must be a plain zip archive, without a password. Correct the card.",
        ) from error


def _take(archive: zipfile.ZipFile, card: ModelCard, file: ModelFile, member: str, target: Path) -> Path:
    try:
        info = archive.getinfo(member)
    except KeyError:
        inside = ", ".join(sorted(archive.namelist())[:8])
        raise StoreError(
            f"{file.name!r} of {card.name!r} has no member {member!r}.",
            hint=f"It holds: {inside}. Correct `unpack` on the card.",
        ) from None
    if info.file_size > _MOST_TIMES * file.size_bytes:
        raise IntegrityError(
            f"{member!r} in {file.name!r} of {card.name!r} would have {info.file_size:,} bytes, "
            f"more than {_MOST_TIMES} times its archive."
        )
    with archive.open(info) as source, target.open("wb") as made:
        shutil.copyfileobj(source, made, 1 << 20)
    return target
