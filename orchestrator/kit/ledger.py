"""An append-only file of JSON lines, for tools that write: durable, and the same call never counts twice.

Each entry carries the idempotency key of the call that made it. Writing the key again gives back the first
entry. An entry is on disk before it is returned. What a crash leaves of a half-written line is skipped by
readers and closed off by the next writer. One lock file for all processes on this machine; no network shares.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
# flock holds between processes; two threads of one process need this as well.
_THREADS = threading.Lock()


class Ledger:
    """One file. `prefix` starts the numbers that entries get: T-00001, T-00002."""

    def __init__(self, file: Path, prefix: str) -> None:
        self.file = file
        self._prefix = prefix

    def entries(self) -> list[Entry]:
        if not self.file.is_file():
            return []
        lines = self.file.read_text("utf-8", errors="replace").splitlines()
        return [entry for line in lines if (entry := _parsed(line)) is not None]

    def write(self, key: str, content: Mapping[str, Any]) -> tuple[Entry, bool]:
        """The entry with its number, and whether it is new. An empty key never matches an earlier one."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with _locked(self.file.with_suffix(".lock")):
            entries = self.entries()
            for entry in entries:
                if key and entry.get("key") == key:
                    return entry, False
            entry = {"number": f"{self._prefix}-{len(entries) + 1:05d}", "key": key, **content}
            self._append(json.dumps(entry, ensure_ascii=False))
            return entry, True

    def _append(self, line: str) -> None:
        is_new = not self.file.exists()
        with self.file.open("ab+") as stream:
            if stream.tell() and not _ends_with_newline(self.file):
                stream.write(b"\n")
            stream.write(line.encode("utf-8") + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        if is_new:
            _sync_folder(self.file.parent)


def _parsed(line: str) -> Entry | None:
    try:
        value = json.loads(line)
    except json.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _ends_with_newline(file: Path) -> bool:
    with file.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


def _sync_folder(folder: Path) -> None:
    """A new file's name is only durable once its folder is; Windows has no such call."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    with _THREADS, file.open("w") as stream:
        if sys.platform != "win32":
            import fcntl

            # Released when the file is closed, also by a kill.
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
