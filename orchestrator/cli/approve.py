"""Asking a person before a write: exactly the call that will run, then yes or no.

Without an answer (an empty line, the end of the input) nothing is run.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.cli.lines import LinesView, SilentView
    from orchestrator.cli.live import LiveView
    from orchestrator.types import ApprovalAsked

Approver = Callable[["ApprovalAsked"], Awaitable[bool]]


def can_ask() -> bool:
    """Whether a person sits there: the question is written to stderr and the answer read from stdin."""
    return sys.stdin.isatty() and sys.stderr.isatty()


async def yes_to_all(asked: ApprovalAsked) -> bool:
    """`--yes`: the person approved every write of this run when they typed the command."""
    return True


def ask_on(view: LiveView | LinesView | SilentView) -> Approver:
    """An approver that asks on the terminal, one question at a time."""
    import anyio

    turn = anyio.Lock()

    async def approve(asked: ApprovalAsked) -> bool:
        async with turn:
            with view.put_aside() as console:
                print_call(console, asked)
                console.print("Run it? [y/N] ", end="", markup=False)
                typed = ""
                try:
                    typed = await _read_line()
                finally:
                    if not typed.endswith("\n"):
                        console.print()
                return typed.strip().lower() in ("y", "yes", "j", "ja")

    return approve


def print_call(console: Console, asked: ApprovalAsked) -> None:
    """The call in full. Every line of it has a bar, so that no text can pose as the question."""
    from orchestrator.cli.console import print_barred

    console.print(f"Subtask {asked.subtask!r} wants to run a write:", style="yellow", markup=False)
    print_barred(console, asked.tool)
    print_barred(console, asked.arguments, indent=2)
    if asked.doubts:
        console.print("Taken in doubt before it:", style="yellow")
        print_barred(console, "\n".join(asked.doubts), indent=2)


async def _read_line() -> str:
    # Waiting on the descriptor instead of in a thread: Ctrl-C must not have to wait for Enter.
    import anyio

    await anyio.wait_readable(sys.stdin)
    return sys.stdin.readline()
