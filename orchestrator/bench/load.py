"""Time under load: the same cases through one arm, arriving as a pattern says. Quality is another matter.

Words as in MLPerf Inference (Reddi et al., arXiv 1911.02549) and guidellm:

    single-stream   closed loop: the next case comes when the last is done
    offline         closed loop: all cases are there at the start; throughput is what counts
    poisson         open loop: cases come at a rate, whatever is still waiting (MLPerf's *server*)

Latency runs from the moment when a case *should* have come to its answer, so that a system that falls behind
cannot hide it (coordinated omission). Goodput counts the answers within a declared latency goal. A closed and
an open loop are never put into one table.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import Field

from orchestrator.bench.arms import Runner
from orchestrator.bench.cases import Case
from orchestrator.bench.spec import Arm
from orchestrator.bench.statistics import percentile
from orchestrator.errors import InvalidInput
from orchestrator.types import Record, RunResult

Pattern = Literal["single-stream", "offline", "poisson"]
Clock = Callable[[], float]


class Load(Record):
    """How cases arrive. `rate_per_s` is for `poisson` only; `goal_s` is the latency that goodput asks for."""

    pattern: Pattern
    rate_per_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    goal_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    seed: int = 0


class Served(Record):
    """One case: when it should have come, and when its answer was there, in seconds since the start."""

    case_id: str
    due_s: float
    done_s: float
    completed: bool
    queue_s: float | None = None

    @property
    def latency_s(self) -> float:
        return self.done_s - self.due_s


class LoadSummary(Record):
    """What one arm did under one load. Rates are a second; `goodput_per_s` is None without a goal."""

    arm: str
    load: Load
    n: int
    failed: int
    duration_s: float
    throughput_per_s: float
    goodput_per_s: float | None = None
    latency_p50_s: float | None = None
    latency_p95_s: float | None = None
    latency_p99_s: float | None = None
    queue_p50_s: float | None = None


def insist_on_rate(load: Load) -> None:
    """Raises InvalidInput where the pattern and the rate do not go together."""
    if (load.pattern == "poisson") != (load.rate_per_s is not None):
        raise InvalidInput(
            f"A rate goes with the pattern poisson, and only with it; here it is {load.pattern}.",
            hint="For example: --pattern poisson --rate 0.5",
        )


async def run_load(
    runner: Runner, arm: Arm, cases: Sequence[Case], load: Load, *, clock: Clock = time.perf_counter
) -> list[Served]:
    """Every case once, in order of arrival."""
    insist_on_rate(load)
    started_s = clock()

    async def serve(case: Case, due_s: float) -> Served:
        await asyncio.sleep(max(0.0, started_s + due_s - clock()))
        result: RunResult = await runner.run_to_end(arm.task(case))
        return Served(
            case_id=case.id,
            due_s=due_s,
            done_s=clock() - started_s,
            completed=result.status == "completed",
            queue_s=result.usage.queue_s,
        )

    if load.pattern == "single-stream":
        return [await serve(case, clock() - started_s) for case in cases]
    due = arrivals(len(cases), load)
    return list(await asyncio.gather(*(serve(case, at) for case, at in zip(cases, due, strict=True))))


def arrivals(n: int, load: Load) -> list[float]:
    """Seconds since the start at which each case is due."""
    if load.rate_per_s is None:
        return [0.0] * n
    chance, now, due = random.Random(load.seed), 0.0, []
    for _ in range(n):
        now += chance.expovariate(load.rate_per_s)
        due.append(now)
    return due


def summarise_load(arm: str, load: Load, served: Sequence[Served]) -> LoadSummary:
    latencies = [case.latency_s for case in served]
    duration_s = max((case.done_s for case in served), default=0.0)
    good = [case for case in served if case.completed]
    in_time = None if load.goal_s is None else sum(case.latency_s <= load.goal_s for case in good)
    return LoadSummary(
        arm=arm,
        load=load,
        n=len(served),
        failed=len(served) - len(good),
        duration_s=duration_s,
        throughput_per_s=len(good) / duration_s if duration_s else 0.0,
        goodput_per_s=None if in_time is None or not duration_s else in_time / duration_s,
        latency_p50_s=percentile(latencies, 0.5),
        latency_p95_s=percentile(latencies, 0.95),
        latency_p99_s=percentile(latencies, 0.99),
        queue_p50_s=percentile([case.queue_s for case in served if case.queue_s is not None], 0.5),
    )
