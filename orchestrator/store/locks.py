"""Advisory file locks that the kernel drops when their owner dies, however it dies.

A lock is a file that stays where it is; holding it means holding `flock` on an open descriptor of it. A
child process that inherits the descriptor keeps the lock alive, so "nobody holds it" means that neither
a pull nor the pip or converter that it started is still running. Works on Linux and macOS, on local disks.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_S = 0.1


@contextmanager
def locked(path: Path, on_wait: Callable[[], None] | None = None) -> Iterator[int]:
    """Hold the lock at `path`; yields its descriptor. `on_wait` is called once if somebody else has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not _try(descriptor):
            if on_wait:
                on_wait()
            # Polling instead of a blocking flock: Ctrl-C must get through.
            while not _try(descriptor):
                time.sleep(_POLL_S)
        yield descriptor
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a live process holds the lock. A lock that was never made is not held."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _try(descriptor)
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
