"""Run cases through arms, one after the other, interleaved, through the product's own controller.

Case by case, and with the arms in alternating order: a machine that warms up, throttles or is disturbed
then disturbs every arm alike. Nothing is cached between arms beyond what the product itself keeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from orchestrator.bench.cases import Case, Code, Files
from orchestrator.bench.spec import Arm
from orchestrator.types import Record, RunResult, Status, Task, Usage

Clock = Callable[[], float]


class Runner(Protocol):
    """The part of the controller that a benchmark uses."""

    async def run_to_end(self, task: Task) -> RunResult: ...


class Outcome(Record):
    """One case through one arm. `latency_s` is wall time without loading models, which is in `load_s`.

    `grade` is what the scorer gave, between 0 and 1; `kind` its class of error. The scorer's message is left
    out, because it may quote the data set.
    """

    case_id: str
    category: str
    arm: str
    repeat: int = 0
    run_id: str
    status: Status
    grade: float
    kind: str | None = None
    error: str | None = None
    output: Any = None
    latency_s: float
    load_s: float
    usage: Usage = Usage()
    usage_by_model: Mapping[str, Usage] = {}
    idle_energy_j: float | None = None

    @property
    def solved(self) -> bool:
        return self.grade == 1.0

    @property
    def key(self) -> Key:
        return self.case_id, self.arm, self.repeat


Key = tuple[str, str, int]
OnOutcome = Callable[[int, int, Outcome], None]


async def warm_up(runner: Runner, arms: Sequence[Arm], case: Case) -> float:
    """Load models with a case that does not count, through every arm. Returns the seconds of loading."""
    results = [await runner.run_to_end(arm.task(case)) for arm in arms]
    return sum(result.usage.load_s or 0.0 for result in results)


async def run_interleaved(
    runner: Runner,
    arms: Sequence[Arm],
    cases: Sequence[Case],
    code: Code,
    files: Files,
    on_outcome: OnOutcome,
    *,
    repeats: int = 1,
    done: Collection[Key] = (),
    clock: Clock = time.perf_counter,
) -> list[Outcome]:
    """Every case through every arm, but for what is `done` already.

    `on_outcome` hears (done, total, outcome) after each; both figures count what was done before.
    """
    outcomes: list[Outcome] = []
    total = len(cases) * len(arms) * repeats
    for turn, (repeat, case) in enumerate((r, c) for r in range(repeats) for c in cases):
        for arm in arms if turn % 2 == 0 else reversed(arms):
            if (case.id, arm.name, repeat) in done:
                continue
            outcomes.append(await _run_one(runner, arm, case, repeat, code, files, clock))
            on_outcome(len(done) + len(outcomes), total, outcomes[-1])
    return outcomes


async def _run_one(
    runner: Runner, arm: Arm, case: Case, repeat: int, code: Code, files: Files, clock: Clock
) -> Outcome:
    started_s = clock()
    result = await runner.run_to_end(arm.task(case))
    wall_s = clock() - started_s
    load_s = result.usage.load_s or 0.0
    scored = code.judge(files, case, result)
    return Outcome(
        case_id=case.id,
        category=case.category,
        arm=arm.name,
        repeat=repeat,
        run_id=result.run_id,
        status=result.status,
        grade=scored.grade,
        kind=scored.kind,
        error=result.error,
        output=result.answer,
        latency_s=max(0.0, wall_s - load_s),
        load_s=load_s,
        usage=result.usage,
        usage_by_model=result.usage_by_model,
        idle_energy_j=result.idle_energy_j,
    )
