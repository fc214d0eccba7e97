"""Measures a case from outside the controller: wall time, and what the whole process drew meanwhile.

The controller charges a run step by step (`meter/books.py`). Reading the clock and the counters once more
around the whole of it is what those books are held against; see `accounts.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.meter import Drawn, Meter
from orchestrator.meter.energy import energy_of, idle_energy_j
from orchestrator.meter.memory import peak_memory_bytes, reset_peak
from orchestrator.types import Record
from orchestrator.workspace import Machine

Clock = Callable[[], float]


class Seen(Record):
    """What one case took; None: not looked at. `around_j` is the part of `energy_j` that was used neither
    in a call nor in a run, but to begin and end the record of it. `idle_j` is what the machine draws for
    being on as long; None where a counter has it in.
    """

    wall_s: float = 0.0
    energy_j: float | None = None
    around_j: float | None = None
    idle_j: float | None = None
    peak_memory_bytes: int | None = None


class Reading:
    """Filled in when the bracket closes."""

    def __init__(self) -> None:
        self.seen = Seen()


class Gauge:
    """Without a meter only the time is measured."""

    def __init__(
        self,
        clock: Clock = time.perf_counter,
        meter: Meter | None = None,
        machine: Machine | None = None,
    ) -> None:
        self._clock = clock
        self._meter = meter
        self._machine = machine

    @contextmanager
    def case(self) -> Iterator[Reading]:
        reading = Reading()
        reset_peak()
        before, started_s = self._drawn(), self._clock()
        yield reading
        seen = Seen(wall_s=self._clock() - started_s, peak_memory_bytes=peak_memory_bytes())
        if self._machine and before:
            total, nobody = (b.since(a) for a, b in zip(before, self._drawn(), strict=True))
            joules = {
                "energy_j": energy_of(total, self._machine)[0],
                "around_j": energy_of(nobody, self._machine)[0],
                "idle_j": idle_energy_j(seen.wall_s, total, self._machine),
            }
            seen = seen.model_copy(update=joules)
        reading.seen = seen

    def idle_j(self, seconds: float) -> float | None:
        """What the machine draws for being on so long; None without a meter, or where a counter has it in."""
        if self._machine is None or self._meter is None:
            return None
        return idle_energy_j(seconds, self._meter.total(), self._machine)

    def _drawn(self) -> list[Drawn]:
        return [self._meter.total(), self._meter.nobody()] if self._meter else []
