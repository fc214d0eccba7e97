"""Die at a chosen moment: run `lilliput …` in a child that is killed just before its n-th change of a file.

Every change of the file system that Python makes is an audit event (PEP 578), so that the moments can be
counted, and each of them chosen. Children are forked from one process that has imported what they need.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "sqlite3.connect")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Ended(NamedTuple):
    """`exit`: negative for a signal, as in subprocess. `changes`: how many there were; 0: killed."""

    exit: int
    changes: int


def run(words: Sequence[str], folder: Path, die_before: int | None = None) -> Ended:
    """Wait for `lilliput WORDS` in that folder."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["orchestrator.cli", "orchestrator.learning.learner", "torch", "peft"])
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(list(words), folder, dict(os.environ), die_before, theirs))
    child.start()
    theirs.close()
    child.join()
    changes = ours.recv() if child.exitcode != -signal.SIGKILL and ours.poll() else 0
    assert child.exitcode is not None
    return Ended(child.exitcode, changes)


def _child(
    words: list[str], folder: Path, environ: dict[str, str], die_before: int | None, told: Any
) -> None:
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    count = 0

    def heard(event: str, args: tuple[Any, ...]) -> None:
        nonlocal count
        if _changes_a_file(event, args):
            count += 1
            if count == die_before:
                os.kill(os.getpid(), signal.SIGKILL)

    from orchestrator.cli import main

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        sys.stdout = sys.stderr = nowhere
        sys.argv = ["lilliput", *words]
        sys.addaudithook(heard)
        status: int | str | None = 1
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
    told.send(count)
    told.close()
    os._exit(int(status or 0))


def _changes_a_file(event: str, args: tuple[Any, ...]) -> bool:
    if event == "open":
        return isinstance(args[2], int) and bool(args[2] & _WRITING) and args[0] != os.devnull
    return event in _CHANGES
