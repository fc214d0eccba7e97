"""From paired outcomes to a verdict for each subtask family: confirmed, refuted or inconclusive.

The claim: on this machine the candidate (small, specialised) does this kind of subtask as well as the
reference, but for a margin that was declared before the run.

    confirmed      non-inferior: the whole interval lies above -margin
    refuted        inferior: the whole interval lies below -margin
    inconclusive   the interval holds -margin, or a trivial method does as well as the reference, so that
                   the cases tell nothing about models

Where a benchmark has several reference arms (with and without examples, say), the strongest one counts.

Several families are tested at once, so p-values are adjusted (Holm). The margin, the arms and n are in the
benchmark's file; nothing here is chosen after seeing a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from orchestrator.bench.arms import Outcome
from orchestrator.bench.noninferiority import ALPHA, Difference, holm, paired_difference
from orchestrator.bench.spec import Benchmark, Family
from orchestrator.types import Record

Ruling = Literal["confirmed", "refuted", "inconclusive"]


class Verdict(Record):
    """What the cases of one family say. Rates are mean grades; `floor` is the best trivial arm."""

    benchmark: str
    family: str
    candidate: str
    reference: str
    candidate_rate: float
    reference_rate: float
    floor: str | None = None
    floor_rate: float | None = None
    difference: Difference
    p_adjusted: float
    ruling: Ruling
    reason: str


class _Tested(Record):
    """A family's paired difference, before the correction for several families."""

    family: Family
    reference: str
    candidate_rate: float
    reference_rate: float
    floor: str | None
    floor_rate: float | None
    floor_ties: bool
    difference: Difference


def verdicts(benchmark: Benchmark, outcomes: Sequence[Outcome]) -> list[Verdict]:
    """One for each family in which both arms answered at least one case."""
    return verdicts_of([(benchmark, outcomes)])


def verdicts_of(runs: Iterable[tuple[Benchmark, Sequence[Outcome]]]) -> list[Verdict]:
    """All families of several benchmarks, corrected together."""
    tested = [
        (benchmark, found)
        for benchmark, outcomes in runs
        for family in benchmark.families
        if (found := _test(benchmark, family, outcomes))
    ]
    better = holm([found.difference.p_noninferior for _, found in tested])
    worse = holm([found.difference.p_inferior for _, found in tested])
    return [_rule(*pair, up, down) for pair, up, down in zip(tested, better, worse, strict=True)]


def rule_on(benchmark: Benchmark, family: str, arm: str, outcomes: Sequence[Outcome]) -> Verdict:
    """On another arm than the first. Raises ValueError where it shares no case with the reference."""
    first = [found for found in benchmark.arms if found.name == arm]
    others = [found for found in benchmark.arms if found.name != arm]
    families = tuple(found for found in benchmark.families if found.category == family)
    turned = benchmark.model_copy(update={"arms": (*first, *others), "families": families})
    ruled = verdicts(turned, outcomes)
    if not ruled:
        raise ValueError(f"arm {arm!r} and the reference answered no case of {family!r} in common")
    return ruled[0]


def _test(benchmark: Benchmark, family: Family, outcomes: Sequence[Outcome]) -> _Tested | None:
    grades = {arm.name: _grades(outcomes, family.category, arm.name) for arm in benchmark.arms}
    candidate, reference = benchmark.arms[0].name, _strongest_reference(benchmark, grades)
    shared = sorted(grades[candidate].keys() & grades[reference].keys())
    if not shared:
        return None
    first, second = ([grades[arm][case] for case in shared] for arm in (candidate, reference))
    floors = {
        arm.name: [grades[arm.name][case] for case in shared]
        for arm in benchmark.arms
        if arm.kind == "floor" and grades[arm.name].keys() >= set(shared)
    }
    best = max(floors, key=lambda name: sum(floors[name]), default=None)
    return _Tested(
        family=family,
        reference=reference,
        candidate_rate=_mean(first),
        reference_rate=_mean(second),
        floor=best,
        floor_rate=_mean(floors[best]) if best else None,
        floor_ties=best is not None and _ties(floors[best], second, family.margin),
        difference=paired_difference(first, second, family.margin),
    )


def _strongest_reference(benchmark: Benchmark, grades: Mapping[str, Mapping[str, float]]) -> str:
    """Of several ways to ask the larger model the best one: a straw man would prove nothing.

    Choosing it by the outcomes leans towards the larger model, never towards the small one.
    """
    names = [arm.name for arm in benchmark.arms if arm.kind == "reference"] or [benchmark.arms[1].name]
    answered = [name for name in names if grades[name]]
    return max(answered, key=lambda name: _mean([*grades[name].values()]), default=names[0])


def _ties(floor: Sequence[float], reference: Sequence[float], margin: float) -> bool:
    """A trivial method that is shown to be as good as the reference."""
    return paired_difference(floor, reference, margin).p_noninferior < ALPHA


def _grades(outcomes: Sequence[Outcome], category: str, arm: str) -> dict[str, float]:
    """The mean grade of each case over its repeats: cases are the independent units, repeats are not."""
    found: dict[str, list[float]] = {}
    for outcome in outcomes:
        if outcome.category == category and outcome.arm == arm:
            found.setdefault(outcome.case_id, []).append(outcome.grade)
    return {case: _mean(grades) for case, grades in found.items()}


def _rule(benchmark: Benchmark, tested: _Tested, p_better: float, p_worse: float) -> Verdict:
    difference = tested.difference
    ruling, p_adjusted = _ruling(tested, p_better, p_worse)
    return Verdict(
        benchmark=benchmark.name,
        family=tested.family.category,
        candidate=benchmark.arms[0].name,
        reference=tested.reference,
        candidate_rate=tested.candidate_rate,
        reference_rate=tested.reference_rate,
        floor=tested.floor,
        floor_rate=tested.floor_rate,
        difference=difference,
        p_adjusted=p_adjusted,
        ruling=ruling,
        reason=_reason(tested, ruling),
    )


def _ruling(tested: _Tested, p_better: float, p_worse: float) -> tuple[Ruling, float]:
    if p_worse < ALPHA:
        return "refuted", p_worse
    if p_better < ALPHA and not tested.floor_ties:
        return "confirmed", p_better
    return "inconclusive", min(p_better, p_worse)


def _reason(tested: _Tested, ruling: Ruling) -> str:
    found, margin = tested.difference, 100 * tested.difference.margin
    span = f"{100 * found.interval.low:+.1f} to {100 * found.interval.high:+.1f} points"
    if ruling == "refuted":
        return f"worse by more than {margin:g} points: {span}"
    if ruling == "confirmed":
        return f"at most {margin:g} points worse: {span}"
    if tested.floor_ties:
        return f"no evidence: the trivial {tested.floor} is as good as the reference"
    return f"{span}; power {found.power:.2f}, 0.80 needs n = {found.n_for_80:,}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
