"""The command line: `lilliput`. Each command group is one file; this one is the door and the error desk.

Every way out has a code: 0 done, 1 something failed, 2 the caller can mend it, 3 a write waits for
approval, 130 stopped with Ctrl-C. A traceback is shown only with `LILLIPUT_DEBUG=1`.

Nothing heavy is imported when a command file is: `lilliput --help` has to answer in under 0.3 s, so pydantic,
numpy, rich and the rest are imported inside the functions that need them.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from orchestrator.errors import LilliputError, UserError

FAILED, MENDABLE, WAITING, STOPPED = 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its code."""
    _never_fail_on_a_letter()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _close_quietly()
        code = FAILED
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    from typer.main import get_command

    from orchestrator.cli.app import app

    try:
        get_command(app).main(args=arguments, prog_name="lilliput")
    except SystemExit as done:
        if done.code == STOPPED:
            _complain("Stopped.")
        return done.code if isinstance(done.code, int) else 0
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get("LILLIPUT_DEBUG"):
            raise
        return explain(error)
    return 0


def explain(error: BaseException) -> int:
    """Say on stderr what went wrong, as one message, and give the exit code."""
    known = product_error(error) or _lacking(error)
    if known is None:
        _complain(f"Lilliput has a bug: {type(error).__name__}: {error}. LILLIPUT_DEBUG=1 shows where.")
        return FAILED
    _complain(known.message, known.hint)
    return MENDABLE if isinstance(known, UserError) else FAILED


def product_error(error: BaseException) -> LilliputError | None:
    """The error that was raised on purpose: itself, or the first in a task group's bundle."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := product_error(inner))), None)
    return error if isinstance(error, LilliputError) else None


def _lacking(error: BaseException) -> UserError | None:
    """A package of one of the extras, such as `learn`, that was not installed with the rest."""
    if not isinstance(error, ModuleNotFoundError) or str(error.name).startswith("orchestrator"):
        return None
    return UserError(
        f"This needs the package {error.name!r}, which is not installed.",
        hint='Type: make setup, in a checkout; elsewhere: pip install "lilliput[learn,torch,report]"',
    )


def _complain(message: str, hint: str | None = None) -> None:
    from orchestrator.cli.console import complain

    complain(message, hint)


def _never_fail_on_a_letter() -> None:
    """A terminal that is not UTF-8 shows `?` for what it cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _close_quietly() -> None:
    """Nobody reads stdout any more; point it elsewhere, or the interpreter complains while it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
