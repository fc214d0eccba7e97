"""Private folders for work in progress, and the removal of those whose owner was killed.

    staging/<random>/owner.lock   held as long as the owner, or a child that it started, lives
    staging/<random>/...          whatever the owner writes

Whether a folder is a leftover is decided by its lock, never by its age: a slow conversion is not dead.
Making a folder and taking its lock are two steps, so both they and the sweep happen under one short
lock of the whole store; otherwise a sweep could delete a folder between the two.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.store.files import remove
from orchestrator.store.locks import is_held, locked

_OWNER = "owner.lock"


@dataclass(frozen=True)
class Stage:
    """One private folder. Children inherit `lock`, so that it is held until the last of them ends."""

    folder: Path
    lock: int

    def make(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        return path


@contextmanager
def staged(cache_dir: Path) -> Iterator[Stage]:
    """A fresh folder that is deleted at the end, whatever happened."""
    folder = cache_dir / "staging" / secrets.token_hex(8)
    with ExitStack() as held:
        with _store_lock(cache_dir):
            folder.mkdir(parents=True)
            lock = held.enter_context(locked(folder / _OWNER))
        try:
            yield Stage(folder, lock)
        finally:
            remove(folder)


def sweep_stages(cache_dir: Path) -> tuple[int, bool]:
    """Delete what dead owners left. Returns the bytes freed and whether any owner is alive."""
    freed, alive = 0, False
    root = cache_dir / "staging"
    if not root.is_dir():
        return 0, False
    with _store_lock(cache_dir):
        for folder in root.iterdir():
            if is_held(folder / _OWNER):
                alive = True
            else:
                freed += remove(folder)
        if not alive:
            _forget_fetch_locks(cache_dir)
    return freed, alive


def _forget_fetch_locks(cache_dir: Path) -> None:
    """Deleting a lock file is safe only while nobody can be about to take it: fetching needs a stage."""
    for path in (cache_dir / "locks").glob("fetch-*.lock"):
        path.unlink(missing_ok=True)


def _store_lock(cache_dir: Path) -> AbstractContextManager[int]:
    return locked(cache_dir / "locks" / "store.lock")
