"""Start a Python module as a child that cannot outlive this process (see `tether.py`)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.store.staging import Stage

_TETHER = Path(__file__).with_name("tether.py")


def start(
    module: Sequence[str],
    *,
    stage: Stage,
    folder: Path,
    log: Path,
    environ: Mapping[str, str],
    listen: bool = False,
) -> subprocess.Popen[bytes]:
    """Run `module` with its arguments in `folder`; what it says goes to `log`.

    With `listen` the caller reads its standard output instead. The child inherits the stage's lock, so
    that no sweep takes the files away under a child that is still ending. `-P` keeps the working folder
    off the import path: a user's folder may hold an `agents/` or a `types.py`.
    """
    with log.open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-P", str(_TETHER), *module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if listen else said,
            stderr=said,
            cwd=folder,
            env=dict(environ),
            pass_fds=(stage.lock,),
        )


def end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child if it still runs, and close our ends of its pipes."""
    if child.poll() is None:
        child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe:
            pipe.close()


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log, for an error message."""
    if not log.is_file():
        return ""
    return "\n".join(log.read_text("utf-8", errors="replace").strip().splitlines()[-lines:])
