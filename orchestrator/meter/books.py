"""CPU seconds and joules, charged so that the books close.

Native inference runs on threads of its own, so a call's CPU time cannot be read off one thread. Instead the
process's CPU clock, and the hardware's energy counters where there are any, are read whenever a span starts
or ends, and what was used since the last reading is split evenly over the spans that were open. What is used
while no span is open (planning, routing, checks, records, the screen) goes to the runs that were open, and
what is left over belongs to nobody. Nothing can be charged twice or lost: spans + runs + nobody = total.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from orchestrator.meter.counters import Counters

Clock = Callable[[], float]


class Drawn(NamedTuple):
    """What was used. `counted_j`: what counters say, None without any; `covers_cpu`: the CPU is in it."""

    cpu_s: float = 0.0
    counted_j: float | None = None
    covers_cpu: bool = False

    def since(self, before: Drawn) -> Drawn:
        """What was used between two readings."""
        counted_j = None
        if self.counted_j is not None and before.counted_j is not None:
            counted_j = self.counted_j - before.counted_j
        return Drawn(self.cpu_s - before.cpu_s, counted_j, self.covers_cpu)


class Span:
    """One bracketed call or run: what it drew and its wall seconds; final once the bracket has closed."""

    def __init__(self, started_s: float, nothing: Drawn) -> None:
        self.drawn = nothing
        self.wall_s = 0.0
        self._started_s = started_s

    def close(self, now_s: float) -> None:
        self.wall_s = now_s - self._started_s

    def charge(self, drawn: Drawn, share: int) -> None:
        counted_j = None
        if self.drawn.counted_j is not None and drawn.counted_j is not None:
            counted_j = self.drawn.counted_j + drawn.counted_j / share
        self.drawn = Drawn(self.drawn.cpu_s + drawn.cpu_s / share, counted_j, drawn.covers_cpu)


class Meter:
    """Charges what this process uses to the spans that are open. Safe to use from several threads."""

    def __init__(
        self,
        wall_clock: Clock = time.perf_counter,
        cpu_clock: Clock = time.process_time,
        counters: Counters | None = None,
    ) -> None:
        self._wall_clock = wall_clock
        self._cpu_clock = cpu_clock
        self._counters = counters
        self._lock = threading.Lock()
        self._calls: list[Span] = []
        self._runs: list[Span] = []
        self._nobody = Span(0.0, self._nothing)
        self._first = self._last = self._read()

    @contextmanager
    def span(self) -> Iterator[Span]:
        """Brackets one call."""
        with self._open(self._calls) as span:
            yield span

    @contextmanager
    def run(self) -> Iterator[Span]:
        """Brackets a run: it is charged what is used while no call is open."""
        with self._open(self._runs) as span:
            yield span

    def total(self) -> Drawn:
        """All that this process has used since the meter was made, as the clock and the counters say."""
        return self._read().since(self._first)

    def nobody(self) -> Drawn:
        """What was used while neither a call nor a run was open."""
        with self._lock:
            self._settle()
            return self._nobody.drawn

    @property
    def _nothing(self) -> Drawn:
        return Drawn(0.0, 0.0, self._counters.covers_cpu) if self._counters else Drawn()

    @contextmanager
    def _open(self, spans: list[Span]) -> Iterator[Span]:
        span = Span(self._wall_clock(), self._nothing)
        with self._lock:
            self._settle()
            spans.append(span)
        try:
            yield span
        finally:
            with self._lock:
                self._settle()
                spans.remove(span)
                span.close(self._wall_clock())

    def _settle(self) -> None:
        now, last = self._read(), self._last
        self._last, used = now, now.since(last)
        payers = self._calls or self._runs or [self._nobody]
        for span in payers:
            span.charge(used, len(payers))

    def _read(self) -> Drawn:
        if self._counters is None:
            return Drawn(self._cpu_clock())
        return Drawn(self._cpu_clock(), self._counters.read_j(), self._counters.covers_cpu)
