"""Run cases through arms, one after the other, interleaved, through the product's own controller.

Case by case, and with the arms in alternating order: a machine that warms up, throttles or is disturbed
then disturbs every arm alike. Nothing is cached between arms beyond what the product itself keeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from orchestrator.bench.bfcl import BfclCase, Scorer, call_of
from orchestrator.bench.spec import Arm
from orchestrator.errors import InvalidInput
from orchestrator.types import Json, Record, RunResult, Status, Task, Usage

Clock = Callable[[], float]
Score = tuple[bool, str | None, str | None]


class Runner(Protocol):
    """The part of the controller that a benchmark uses."""

    async def run_to_end(self, task: Task) -> RunResult: ...


class Outcome(Record):
    """One case through one arm. `latency_s` is wall time without loading models, which is in `load_s`.

    `kind` is the checker's class of error; its message is left out, because it quotes the data set.
    """

    case_id: str
    category: str
    arm: str
    run_id: str
    status: Status
    solved: bool
    kind: str | None = None
    error: str | None = None
    output: Any = None
    latency_s: float
    load_s: float
    usage: Usage = Usage()
    usage_by_model: Mapping[str, Usage] = {}
    idle_energy_j: float | None = None


OnOutcome = Callable[[int, int, Outcome], None]
Inputs = Callable[[BfclCase], Json]


def text_and_tools(case: BfclCase) -> Json:
    return {"text": case.text, "tools": case.tools}


async def warm_up(
    runner: Runner, arms: Sequence[Arm], case: BfclCase, *, inputs: Inputs = text_and_tools
) -> float:
    """Load models with a case that does not count, through every arm. Returns the seconds of loading."""
    results = [await runner.run_to_end(arm.task(inputs(case))) for arm in arms]
    return sum(result.usage.load_s or 0.0 for result in results)


async def run_interleaved(
    runner: Runner,
    arms: Sequence[Arm],
    cases: Sequence[BfclCase],
    scorer: Scorer,
    on_outcome: OnOutcome,
    *,
    inputs: Inputs = text_and_tools,
    clock: Clock = time.perf_counter,
) -> list[Outcome]:
    """Every case through every arm. `on_outcome` hears (done, total, outcome) after each."""
    outcomes: list[Outcome] = []
    for index, case in enumerate(cases):
        for arm in arms if index % 2 == 0 else reversed(arms):
            outcomes.append(await _run_one(runner, arm, case, scorer, inputs, clock))
            on_outcome(len(outcomes), len(cases) * len(arms), outcomes[-1])
    return outcomes


async def _run_one(
    runner: Runner, arm: Arm, case: BfclCase, scorer: Scorer, inputs: Inputs, clock: Clock
) -> Outcome:
    started_s = clock()
    result = await runner.run_to_end(arm.task(inputs(case)))
    wall_s = clock() - started_s
    load_s = result.usage.load_s or 0.0
    solved, kind, error = judge(case, result, scorer)
    return Outcome(
        case_id=case.id,
        category=case.category,
        arm=arm.name,
        run_id=result.run_id,
        status=result.status,
        solved=solved,
        kind=kind,
        error=error,
        output=result.answer,
        latency_s=max(0.0, wall_s - load_s),
        load_s=load_s,
        usage=result.usage,
        usage_by_model=result.usage_by_model,
        idle_energy_j=result.idle_energy_j,
    )


def judge(case: BfclCase, result: RunResult, scorer: Scorer) -> Score:
    """(solved, kind, error). A run that failed made no call, and is scored as that.

    It is what the leaderboard does, so a refused call is right where no function fits. An arm that merely
    breaks down gains by it too; that is why reports show how many runs failed.
    """
    if result.status != "completed":
        score = scorer.score_call(case, None)
        return score.valid, None if score.valid else "run_failed", result.error
    try:
        call = call_of(result.answer)
    except InvalidInput as problem:
        return False, "no_call_format", str(problem)
    score = scorer.score_call(case, call)
    return score.valid, score.kind, None
