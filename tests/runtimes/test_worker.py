"""One thread a session: cancelling stops the work, waits for it, and leaves the session usable."""

from __future__ import annotations

import asyncio
import time
from threading import Event, current_thread

import pytest

from orchestrator.runtimes.worker import Stopped, Worker


async def test_cancelling_sets_the_flag_and_waits_for_the_thread() -> None:
    worker = Worker("w")
    ended: list[str] = []

    def work(stop: Event) -> None:
        stop.wait(5)
        time.sleep(0.05)
        ended.append("ended")
        raise Stopped

    task = asyncio.create_task(worker.run(work))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["ended"]
    assert await worker.run(lambda stop: stop.is_set()) is False
    worker.close()


async def test_cancelling_twice_still_waits() -> None:
    worker = Worker("w")
    ended = Event()

    def work(stop: Event) -> None:
        stop.wait(5)
        time.sleep(0.1)
        ended.set()

    task = asyncio.create_task(worker.run(work))
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    worker.close()


async def test_one_thread_takes_one_piece_of_work_at_a_time() -> None:
    worker = Worker("w")
    inside: list[int] = []

    def work(stop: Event) -> str:
        inside.append(1)
        time.sleep(0.01)
        assert len(inside) == 1
        inside.clear()
        return current_thread().name

    names = await asyncio.gather(*[worker.run(work) for _ in range(5)])
    assert len(set(names)) == 1
    worker.close()


async def test_what_the_work_raises_comes_out() -> None:
    worker = Worker("w")

    def work(stop: Event) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await worker.run(work)
    worker.close()
