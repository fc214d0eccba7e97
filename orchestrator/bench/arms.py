"""Run cases through arms, one after the other, interleaved, through the product's own controller.

Case by case, and with the arms in alternating order: a machine that warms up, throttles or is disturbed
then disturbs every arm alike. Nothing is cached between arms beyond what the product itself keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from pydantic import Field

from orchestrator.bench.cases import Case, Code, Files, Scored
from orchestrator.bench.gauge import Gauge
from orchestrator.bench.spec import Arm
from orchestrator.types import Record, RunResult, Status, Task, Usage


class Runner(Protocol):
    """The part of the controller that a benchmark uses."""

    async def run_to_end(self, task: Task) -> RunResult: ...


class Outcome(Record):
    """One case through one arm. `latency_s` is wall time without loading models, which is in `load_s`.

    `grade` is what the scorer gave, between 0 and 1; `kind` its class of error. The scorer's message is left
    out, because it may quote the data set. `output` is the answer that counts, `commit` that of the code
    which made it. `usage` is what the controller charged. `metered_energy_j` is what the whole process drew
    meanwhile, `around_energy_j` of it to begin and end the record of the run, and `idle_energy_j` what the
    machine draws for being on (None: a counter has it in). `peak_memory_bytes` is the largest resident set
    of the process, with the models of all arms.
    """

    case_id: str
    category: str
    arm: str
    repeat: int = 0
    run_id: str
    status: Status
    grade: float = Field(ge=0.0, le=1.0)
    kind: str | None = None
    error: str | None = None
    output: Any = None
    confidence: float | None = None
    latency_s: float
    load_s: float
    usage: Usage = Usage()
    usage_by_model: Mapping[str, Usage] = {}
    idle_energy_j: float | None = None
    metered_energy_j: float | None = None
    around_energy_j: float | None = None
    peak_memory_bytes: int | None = None
    commit: str | None = None

    @property
    def solved(self) -> bool:
        return self.grade == 1.0

    @property
    def key(self) -> Key:
        return self.case_id, self.arm, self.repeat


Key = tuple[str, str, int]
OnOutcome = Callable[[int, int, Outcome], None]


class Once(Record):
    """What is done before the first case and then kept, such as embedding what there is to search."""

    seconds: float
    energy_j: float | None = None


class WarmUp(Record):
    """`case_s`: by arm, what the last case took without loading. `once`: see `_once`."""

    load_s: float = 0.0
    case_s: dict[str, float] = {}
    once: dict[str, Once] = {}


async def warm_up(
    runner: Runner, arms: Sequence[Arm], cases: Sequence[Case], gauge: Gauge | None = None
) -> WarmUp:
    """Load models and fill caches with cases that do not count, through every arm."""
    load_s, gauge = 0.0, gauge or Gauge()
    results: dict[str, list[RunResult]] = {arm.name: [] for arm in arms}
    took_s: dict[str, float] = {}
    for case in cases:
        for arm in arms:
            with gauge.case() as reading:
                result = await runner.run_to_end(arm.task(case))
            loading_s = result.usage.load_s or 0.0
            load_s += loading_s
            took_s[arm.name] = max(0.0, reading.seen.wall_s - loading_s)
            results[arm.name].append(result)
    once = {arm: _once(found, gauge) for arm, found in results.items() if len(found) > 1}
    return WarmUp(load_s=load_s, case_s=took_s, once=once)


def _once(results: Sequence[RunResult], gauge: Gauge) -> Once:
    """By how much the first case was dearer than the last in encoders and plain code.

    Generators keep nothing for good, and how long they take is up to the case. What several arms share is
    paid by the one that needs it first.
    """
    first, last = (_without_generators(results[place]) for place in (0, -1))
    seconds = max(0.0, (first.duration_s or 0.0) - (last.duration_s or 0.0))
    if first.energy_j is None or last.energy_j is None:
        return Once(seconds=seconds)
    drawn_j = max(0.0, first.energy_j - last.energy_j)
    return Once(seconds=seconds, energy_j=drawn_j + (gauge.idle_j(seconds) or 0.0))


def _without_generators(result: RunResult) -> Usage:
    used = {name: usage for name, usage in result.usage_by_model.items() if name != "overhead"}
    return sum((usage for usage in used.values() if not usage.completion_tokens), Usage())


class Estimate(Record):
    """How long what is left will take. `case_s`: by arm the mean of what ran before, else the warm-up."""

    left: int
    case_s: dict[str, float]
    total_s: float


def estimate(
    arms: Sequence[Arm], wanted: Collection[Key], done: Sequence[Outcome], warm: Mapping[str, float]
) -> Estimate:
    known = {arm.name: [o.latency_s for o in done if o.arm == arm.name] for arm in arms}
    case_s = {name: sum(times) / len(times) if times else warm[name] for name, times in known.items()}
    finished = {outcome.key for outcome in done}
    left = [arm for case, arm, repeat in wanted if (case, arm, repeat) not in finished]
    return Estimate(left=len(left), case_s=case_s, total_s=sum(case_s[arm] for arm in left))


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
    gauge: Gauge | None = None,
) -> list[Outcome]:
    """Every case through every arm, but for what is `done` already.

    `on_outcome` hears (done, total, outcome) after each; both figures count what was done before.
    """
    outcomes: list[Outcome] = []
    gauge = gauge or Gauge()
    total = len(cases) * len(arms) * repeats
    for turn, (repeat, case) in enumerate((r, c) for r in range(repeats) for c in cases):
        for arm in arms if turn % 2 == 0 else reversed(arms):
            if (case.id, arm.name, repeat) in done:
                continue
            outcomes.append(await _run_one(runner, arm, case, repeat, code, files, gauge))
            on_outcome(len(done) + len(outcomes), total, outcomes[-1])
    return outcomes


async def _run_one(
    runner: Runner, arm: Arm, case: Case, repeat: int, code: Code, files: Files, gauge: Gauge
) -> Outcome:
    """One case through one arm, timed and scored."""
    with gauge.case() as reading:
        result = await runner.run_to_end(arm.task(case))
    seen, load_s = reading.seen, result.usage.load_s or 0.0
    answer, scored = _scored(arm, case, result, code, files)
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
        output=code.kept(answer),
        confidence=result.confidence,
        latency_s=max(0.0, seen.wall_s - load_s),
        load_s=load_s,
        usage=result.usage,
        usage_by_model=result.usage_by_model,
        idle_energy_j=seen.idle_j if seen.energy_j is not None else result.idle_energy_j,
        metered_energy_j=seen.energy_j,
        around_energy_j=seen.around_j,
        peak_memory_bytes=seen.peak_memory_bytes,
    )


def _scored(arm: Arm, case: Case, result: RunResult, code: Code, files: Files) -> tuple[Any, Scored]:
    """What counts as the answer, and its grade.

    A reference's answer counts where a check of ours refused it, too: the checks belong to the crew, and to
    throw away what the larger model said would flatter the small ones.
    """
    scored = code.judge(files, case, result)
    if arm.kind == "reference" and result.status == "failed" and result.refused is not None:
        said = result.model_copy(update={"status": "completed", "answer": result.refused})
        anyway = code.judge(files, case, said)
        if anyway.grade > scored.grade:
            return result.refused, anyway
    return result.answer if result.status == "completed" else None, scored
