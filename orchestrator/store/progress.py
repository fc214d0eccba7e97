"""What a pull tells while it runs. Events, not drawings: the CLI turns them into a bar or into lines."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from orchestrator.types import Record

Stage = Literal["plan", "wait", "download", "verify", "convert", "install", "done"]


class PullEvent(Record):
    """One step of a pull. `done` of `total` counts bytes in `download`, and steps elsewhere.

    During `download`, `text` is what is being fetched, and the two figures are of the whole pull, not of
    that file. `total` None: not known.
    """

    stage: Stage
    text: str
    done: int | None = None
    total: int | None = None


Progress = Callable[[PullEvent], None]


class Reporter:
    """Passes events on, one at a time: downloads run in threads, and a callback should not have to care."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._one_at_a_time = threading.Lock()

    def __call__(self, stage: Stage, text: str, done: int | None = None, total: int | None = None) -> None:
        if self._progress is None:
            return
        with self._one_at_a_time:
            self._progress(PullEvent(stage=stage, text=text, done=done, total=total))


class ByteCount:
    """Adds up bytes of several downloads, each of which may also be set back (a restarted transfer)."""

    def __init__(self, report: Reporter, total: int) -> None:
        self._report = report
        self._total = total
        self._done: dict[str, int] = {}
        self._told = -1
        self._lock = threading.Lock()

    def set(self, item: str, done: int) -> None:
        """`item` has now fetched `done` bytes."""
        with self._lock:
            self._done[item] = done
            total_done = min(sum(self._done.values()), self._total)
            # Half a percent is as fine as anybody sees; a line of one gigabyte brings 16,000 pieces.
            if total_done != self._total and abs(total_done - self._told) < self._total // 200:
                return
            if total_done == self._told:
                return
            self._told = total_done
        self._report("download", item, total_done, self._total)
