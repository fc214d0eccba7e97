"""The gate: no evidence, no promotion.

The exported artefact, as it will answer, goes through the product's own controller on the test rows, which no
training has seen, beside what answers now (the *incumbent*) and its own float32 parent. It passes when

    nothing leaked      no test text is among those that it learnt from
    there is enough     as many rows as can show non-inferiority at all, if the two never disagree
    it is as good       the whole interval of the paired difference to the incumbent lies above -margin; where
                        the incumbent's own answers are the gold, an exact bound says so too
    int8 cost nothing   at most a point less than in float32

Answers are right when they are those of the rows. Where a person gave these, both sides are judged by gold;
where the incumbent itself did (logs), it is right by definition, and what is shown is agreement with it:
`judged_by` says which, and the card and the report repeat it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from orchestrator.bench.noninferiority import ALPHA, Difference, paired_difference
from orchestrator.bench.power import cases_for
from orchestrator.controller import Controller
from orchestrator.errors import UserError
from orchestrator.kit.spans import spans_in
from orchestrator.learning.examples import Example
from orchestrator.learning.figures import figures_of
from orchestrator.learning.training import Purpose
from orchestrator.records import utc_now
from orchestrator.routing.guarantee import upper_bound
from orchestrator.types import Json, Learns, Record, RunResult, Task, Usage

Heard = Callable[[int, int], None]
FAILED = object()
MARGIN = 0.05  # how much worse a specialist may be, where nothing else is said
_INT8_MAY_COST = 0.01
_MAY_FAIL = 2  # runs, or per cent of them


class ArmResult(Record):
    """How one arm did on the test rows. Times and joules are a row's; None: not known, or recorded.

    `quality`: the share of rows answered exactly right. `figures`: what is usual for such answers, see
    `figures.py`.
    """

    model: str
    quality: float
    figures: Mapping[str, float] = {}
    latency_p50_s: float | None = None
    energy_j: float | None = None
    energy_source: str | None = None
    cost_usd: float | None = None
    memory_bytes: int | None = None


class GateResult(Record):
    """The decision and what it rests on. `reasons`: why it did not pass; empty where it did."""

    specialist: str
    passed: bool
    reasons: tuple[str, ...]
    judged_by: str
    incumbent: str = ""
    n: int
    leaked: int
    margin: float
    difference: Difference | None
    arms: tuple[ArmResult, ...]
    data_hash: str
    machine: str
    made_at: str


class Answered(NamedTuple):
    """What an arm answered to each row, in their order, and what each took; None: recorded earlier."""

    answers: list[Any]
    results: list[RunResult] | None


def fewest_rows(margin: float, alpha: float = 0.05) -> int:
    """Rows that show non-inferiority when the two arms never disagree; with fewer nothing can."""
    return cases_for(0.5, 0.0, margin, alpha)


def insist_on_enough(tested: Sequence[Example], margin: float) -> None:
    """Before anything is trained. Raises UserError where there are too few rows to judge by."""
    if problems := _too_few(len(tested), margin):
        raise UserError(
            f"No gate could be passed: {problems[0]}.",
            hint=f"Of 100 different texts 25 are to judge by: collect {5 * fewest_rows(margin)}.",
        )


def leaked(tested: Sequence[Example], learnt_from: Collection[str]) -> int:
    """Test texts that are among those learnt from, by the hash of the text, scrubbed or as it was written."""
    known = frozenset(learnt_from)
    return sum(example.is_among(known) for example in tested)


async def ask_all(
    controller: Controller, purpose: Purpose, route: str, tested: Sequence[Example], heard: Heard
) -> Answered:
    """Every row as a task of its own, one after the other."""
    answers, results = [], []
    for done, example in enumerate(tested, start=1):
        task = Task(
            input=example.as_input(purpose.learns, purpose.fixed),
            agent=purpose.agent,
            route=route,
            cache_salt=route,
        )
        result = await controller.run_to_end(task)
        answers.append(answer_of(purpose.learns, result))
        results.append(result)
        heard(done, len(tested))
    return Answered(answers, results)


def insist_on_answers(incumbent: str, found: Answered) -> None:
    """An incumbent that answered nothing proves nothing. Raises UserError with why."""
    results = found.results or ()
    if results and all(result.status != "completed" for result in results):
        raise UserError(
            f"{incumbent} answered none of the {len(results)} rows: {str(results[0].error)[:300]}",
            hint="Mend that, or hold it against another model: --against MODEL",
        )


def answer_of(learns: Learns, result: RunResult) -> Any:
    """The part of an agent's output that is learnt; `FAILED`, which is never right, where there is none."""
    if result.status != "completed" or not isinstance(result.answer, Mapping):
        return FAILED
    return result.answer.get(learns.answer, FAILED)


def is_right(learns: Learns, answer: Any, gold: Any) -> bool:
    """The same label; the same parts, wherever else they are quoted; the same value."""
    if answer is FAILED:
        return False
    if learns.kind == "spans":
        return spans_in(answer or ()) == spans_in(gold or ())
    return bool(answer == gold)


def decide(
    specialist: str,
    learns: Learns,
    tested: Sequence[Example],
    learnt_from: Collection[str],
    arms: Mapping[str, Answered],
    incumbent: str,
    *,
    margin: float,
    parent: str,
    memory: Mapping[str, int],
    facts: Json,
) -> GateResult:
    """`arms`: what the specialist, its parent and the incumbent answered. `facts`: hash of data, machine."""
    rights = {
        name: [is_right(learns, a, e.answer) for a, e in zip(found.answers, tested, strict=True)]
        for name, found in arms.items()
    }
    quality = {name: sum(found) / len(found) if found else 0.0 for name, found in rights.items()}
    own, other = ([float(right) for right in rights[name]] for name in (specialist, incumbent))
    difference = paired_difference(own, other, margin) if tested else None
    told = leaked(tested, learnt_from)
    reasons = [
        *(reason for name in arms for reason in _failed(name, arms[name])),
        *_no_incumbent(specialist, parent, incumbent),
        *([f"{told} of {len(tested)} test texts are among those it learnt from"] if told else ()),
        *_too_few(len(tested), margin),
        *_worse(difference, incumbent, margin),
        *_unlike_its_judge(rights[specialist], incumbent, arms[incumbent], margin),
        *_int8(quality[specialist], quality[parent]),
    ]
    judges = sorted({example.by for example in tested})
    return GateResult(
        specialist=specialist,
        passed=not reasons,
        reasons=tuple(reasons),
        judged_by=", ".join(judges),
        incumbent=incumbent,
        n=len(tested),
        leaked=told,
        margin=margin,
        difference=difference,
        arms=tuple(
            _arm(name, quality[name], figures_of(learns, found.answers, tested), found, memory.get(name))
            for name, found in arms.items()
        ),
        made_at=utc_now(),
        **facts,
    )


def _failed(name: str, found: Answered) -> list[str]:
    """An arm that fails was not judged; one or two failures count as wrong answers."""
    failed = [result for result in found.results or () if result.status != "completed"]
    if len(failed) <= max(_MAY_FAIL, _MAY_FAIL * len(found.answers) // 100):
        return []
    return [f"{len(failed)} of {len(found.answers)} runs of {name} failed, such as: {failed[0].error}"]


def _no_incumbent(specialist: str, parent: str, incumbent: str) -> list[str]:
    if incumbent not in (specialist, parent):
        return []
    return [f"it was held against itself ({incumbent}), which says nothing about what answers now"]


def _too_few(n: int, margin: float) -> list[str]:
    needed = fewest_rows(margin)
    return [f"{n} test rows, and {needed} are the fewest that can show anything"] if n < needed else []


def _worse(difference: Difference | None, incumbent: str, margin: float) -> list[str]:
    if difference is None or difference.interval.low > -margin:
        return []
    low, high = (100 * end for end in (difference.interval.low, difference.interval.high))
    return [
        f"not shown to be at most {100 * margin:.0f} points worse than {incumbent}: "
        f"{100 * difference.value:+.1f} ({low:+.1f} to {high:+.1f}) points"
    ]


def _unlike_its_judge(own: Sequence[bool], incumbent: str, judge: Answered, margin: float) -> list[str]:
    """Where the incumbent's own answers are the gold there is one sample and no pair, and the bound is exact.

    For pairs of which one is always right the score interval errs more often than it says: at n = 52 and a
    true deficit of 5 points in 6.9 % of the cases. The binomial bound needs 59 rows without a difference.
    """
    if judge.results is not None or not own:
        return []
    differs = upper_bound(own.count(False), len(own), ALPHA)
    if differs <= margin:
        return []
    return [
        f"not shown to be at most {100 * margin:.0f} points worse than {incumbent}, which judged it: up to "
        f"{100 * differs:.1f} % of its answers may differ"
    ]


def _int8(own: float, parent: float) -> list[str]:
    if own >= parent - _INT8_MAY_COST:
        return []
    return [f"{100 * (parent - own):.1f} points less in int8 than in float32, and 1 is allowed"]


def _arm(
    name: str, quality: float, figures: Mapping[str, float], found: Answered, memory: int | None
) -> ArmResult:
    if found.results is None:
        return ArmResult(model=name, quality=quality, figures=figures)
    used = sum((result.usage for result in found.results), Usage())
    seconds = [r.usage.duration_s for r in found.results if r.usage.duration_s is not None]
    n = len(found.results)
    return ArmResult(
        model=name,
        quality=quality,
        figures=figures,
        latency_p50_s=statistics.median(seconds) if seconds else None,
        energy_j=None if used.energy_j is None else used.energy_j / n,
        energy_source=used.energy_source,
        cost_usd=None if used.cost_usd is None else used.cost_usd / n,
        memory_bytes=memory,
    )
