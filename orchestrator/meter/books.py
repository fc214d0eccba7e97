"""CPU seconds, charged so that the books close.

Native inference runs on threads of its own, so a call's CPU time cannot be read off one thread. Instead the
process's CPU clock is read whenever a span starts or ends, and what was used since the last reading is split
evenly over the spans that were open. Nothing can be charged twice or lost: charged + overhead = total.
Time that passes with no span open is overhead (planning, records, the screen).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Clock = Callable[[], float]


class Span:
    """One bracketed call: CPU and wall seconds; final once the bracket has closed."""

    def __init__(self, started_s: float) -> None:
        self.cpu_s = 0.0
        self.wall_s = 0.0
        self._started_s = started_s

    def close(self, now_s: float) -> None:
        self.wall_s = now_s - self._started_s


class Meter:
    """Charges this process's CPU seconds to the spans that are open. Safe to use from several threads."""

    def __init__(self, wall_clock: Clock = time.perf_counter, cpu_clock: Clock = time.process_time) -> None:
        self._wall_clock = wall_clock
        self._cpu_clock = cpu_clock
        self._lock = threading.Lock()
        self._open: list[Span] = []
        self._last_cpu_s = self._first_cpu_s = cpu_clock()
        self.charged_cpu_s = 0.0
        self.overhead_cpu_s = 0.0

    @contextmanager
    def span(self) -> Iterator[Span]:
        span = Span(self._wall_clock())
        with self._lock:
            self._settle()
            self._open.append(span)
        try:
            yield span
        finally:
            with self._lock:
                self._settle()
                self._open.remove(span)
                span.close(self._wall_clock())

    def settle(self) -> None:
        """Charge what was used since the last reading, so that the figures are of this moment."""
        with self._lock:
            self._settle()

    @property
    def total_cpu_s(self) -> float:
        """CPU seconds of the process since this meter was made, up to the last reading."""
        return self._last_cpu_s - self._first_cpu_s

    def _settle(self) -> None:
        now_s = self._cpu_clock()
        used_s, self._last_cpu_s = now_s - self._last_cpu_s, now_s
        if not self._open:
            self.overhead_cpu_s += used_s
            return
        self.charged_cpu_s += used_s
        for span in self._open:
            span.cpu_s += used_s / len(self._open)
