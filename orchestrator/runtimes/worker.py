"""One thread for one native session, reached from async code.

A native session must not be entered by two threads, and a call must not be abandoned half-way: the memory
that it writes to belongs to the next call. So each session owns one thread; cancelling a task sets a
flag that the work looks at between tokens, and the cancellation goes on only when the thread has let go.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """Raised inside the thread by work that saw the flag."""


class Worker:
    """Runs one piece of work at a time, in its own thread, in the order of asking."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, work: Callable[[Event], T]) -> T:
        """Run `work(stop)`. When the task is cancelled, `stop` is set and the thread is waited for."""
        stop = Event()
        future = asyncio.get_running_loop().run_in_executor(self._executor, work, stop)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            stop.set()
            await _settled(future)
            raise

    def close(self) -> None:
        self._executor.shutdown(wait=True)


async def _settled(future: asyncio.Future[T]) -> None:
    """Wait for the end, whatever it is, even when cancelled again meanwhile."""
    while not future.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([future])
    if not future.cancelled():
        future.exception()  # seen: asyncio must not complain that nobody fetched it
