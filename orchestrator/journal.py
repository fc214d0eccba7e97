"""Carries a run's events: to the records first, then to whoever listens.

An event is handed on only after it was written, so that nobody sees what a crash could take back. A plan and
a route are written while the model that they name is at work already. Progress (text that is being written
right now) is handed on without being recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from orchestrator.records import Records
from orchestrator.types import Event, Progress, Step, StepDone, Task


class Journal:
    """The events of one run, in order."""

    def __init__(self, records: Records, task: Task) -> None:
        self._records = records
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()
        started = records.start(task)
        self.run_id = started.run_id
        self.steps: list[Step] = []
        self._seq = 1
        self._posted: list[asyncio.Task[None]] = []
        self._queue.put_nowait(started)

    async def emit(self, event: Event) -> None:
        """Write it, after all that was posted before, and whatever became of that.

        Raises UserError where it, or what was posted, could not be written.
        """
        self.post(event)  # at once, so that events of subtasks that run side by side keep their order
        posted, self._posted = self._posted, []
        # What was posted is written, even if this is cancelled.
        await asyncio.shield(asyncio.gather(*posted, return_exceptions=True))
        for write in posted:
            write.result()

    def post(self, event: Event) -> None:
        """Have it written while the work goes on; what goes wrong with that is raised by the next `emit`."""
        self._posted.append(asyncio.create_task(self._write(event)))

    async def _write(self, event: Event) -> None:
        async with self._lock:
            # Taken before the write: one that is cancelled half-way may still arrive in its thread.
            seq, self._seq = self._seq, self._seq + 1
            await asyncio.to_thread(self._records.append, event, seq)
            self._queue.put_nowait(event)

    async def add_step(self, step: Step) -> Step:
        """Number the step, record it, and tell. Returns it with its number."""
        numbered = step.model_copy(update={"index": len(self.steps)})
        self.steps.append(numbered)
        await self.emit(StepDone(run_id=self.run_id, step=numbered))
        return numbered

    def progress(self, subtask: str, model: str, text: str) -> None:
        """May be called from any thread."""
        event = Progress(run_id=self.run_id, subtask=subtask, model=model, text=text)
        self._loop.call_soon_threadsafe(self._queue.put_nowait, event)

    def close(self) -> None:
        self._queue.put_nowait(None)

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._queue.get()) is not None:
            yield event
