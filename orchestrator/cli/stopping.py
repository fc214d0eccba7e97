"""Ctrl-C for work that computes for long."""

from __future__ import annotations

import signal
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def until_stopped(work: Callable[[], Awaitable[T]], then: str) -> T:
    """Run it to its end. Ctrl-C ends it within a step; `then` says what comes of typing it again.

    The event loop's own handler would wait until the work comes back to it, which training does at its end.
    """
    import anyio

    from orchestrator.cli.console import to_people

    async def inside() -> T:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return await work()

    try:
        return anyio.run(inside)
    except KeyboardInterrupt:
        to_people().print(then, markup=False, highlight=False)
        raise
