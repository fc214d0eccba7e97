"""From paired outcomes to a verdict for each subtask family: confirmed, refuted or inconclusive.

The claim: on this machine the candidate (small, specialised) does this kind of subtask as well as the
reference, but for a margin that was declared before the run.

    confirmed      non-inferior: the whole interval lies above -margin, and no trivial method does as well
                   as the reference, or else the cases would tell nothing about models
    refuted        inferior: the whole interval lies below -margin
    inconclusive   neither; or not all declared cases have been run, in every arm that the ruling rests on
                   (the candidate, the references, the floors): who looks again after every few cases will
                   see anything confirmed in the end, and who leaves out the strongest reference too; or all
                   runs of the candidate or the reference failed before a model was asked

Where a benchmark has several reference arms (with and without examples, say), the strongest one counts.

Several families are tested at once. How many is declared too (`suite.py`), and each is tested at 5 % divided
by that number, so that no ruling depends on which other families have finished. The margin, the arms and n
are in the benchmark's file; nothing here is chosen after seeing a result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from orchestrator.bench.arms import Outcome
from orchestrator.bench.noninferiority import Difference, alpha_of, paired_difference
from orchestrator.bench.spec import Benchmark, Family
from orchestrator.bench.summary import mean_grades
from orchestrator.types import Record

Ruling = Literal["confirmed", "refuted", "inconclusive"]


class Design(Record):
    """What was declared before the run: how many cases of each family, and how many families in all."""

    cases: Mapping[str, int]
    families_tested: int = 1


class Verdict(Record):
    """What the cases of one family say. Rates are mean grades; `floor` is the best trivial arm.

    The interval and the power of `difference` are at the level that is left to one of `families_tested`;
    `p_value` is that of the ruling's side, and is held against 5 % divided by `families_tested`.
    """

    benchmark: str
    family: str
    candidate: str
    reference: str
    candidate_rate: float
    reference_rate: float
    floor: str | None = None
    floor_rate: float | None = None
    difference: Difference
    declared_n: int
    families_tested: int
    p_value: float
    ruling: Ruling
    reason: str

    @property
    def floor_ties(self) -> bool:
        """Whether a trivial method comes within the margin of the reference: no evidence about models."""
        return self.floor_rate is not None and self.floor_rate >= self.reference_rate - self.difference.margin


def verdicts(benchmark: Benchmark, outcomes: Sequence[Outcome], design: Design) -> list[Verdict]:
    """One for each family in which the first arm and a reference answered at least one case."""
    found = (_rule(benchmark, family, outcomes, design) for family in benchmark.families)
    return [verdict for verdict in found if verdict]


def rule_on(
    benchmark: Benchmark, family: str, arm: str, outcomes: Sequence[Outcome], design: Design
) -> Verdict | None:
    """On another arm than the first. None where it shares no case with the reference."""
    first = [found for found in benchmark.arms if found.name == arm]
    others = [found for found in benchmark.arms if found.name != arm]
    families = tuple(found for found in benchmark.families if found.category == family)
    turned = benchmark.model_copy(update={"arms": (*first, *others), "families": families})
    return next(iter(verdicts(turned, outcomes, design)), None)


def _rule(
    benchmark: Benchmark, family: Family, outcomes: Sequence[Outcome], design: Design
) -> Verdict | None:
    grades = {arm.name: _grades(outcomes, family.category, arm.name) for arm in benchmark.arms}
    candidate = benchmark.arms[0].name
    if not _references(benchmark):
        return None
    reference = _strongest_reference(benchmark, grades)
    shared = sorted(grades[candidate].keys() & grades[reference].keys())
    if not shared:
        return None
    rates = {
        arm: _mean([found[case] for case in shared]) for arm, found in grades.items() if _has(found, shared)
    }
    first, second = ([grades[arm][case] for case in shared] for arm in (candidate, reference))
    found = paired_difference(first, second, family.margin, alpha=alpha_of(design.families_tested))
    floor, declared_n = _best_floor(benchmark, rates), design.cases.get(family.category, len(shared))
    ties = floor is not None and rates[floor] >= rates[reference] - family.margin
    late = _unfinished(benchmark, family.category, outcomes, declared_n)
    mute = _mute((candidate, reference), family.category, outcomes)
    ruling = _ruling(found, interim=len(shared) < declared_n or bool(late or mute), ties=ties)
    return Verdict(
        benchmark=benchmark.name,
        family=family.category,
        candidate=candidate,
        reference=reference,
        candidate_rate=rates[candidate],
        reference_rate=rates[reference],
        floor=floor,
        floor_rate=rates[floor] if floor else None,
        difference=found,
        declared_n=declared_n,
        families_tested=design.families_tested,
        p_value=min(found.p_noninferior, found.p_inferior),
        ruling=ruling,
        reason=_reason(found, ruling, declared_n, floor if ties else None, late, mute),
    )


def _best_floor(benchmark: Benchmark, rates: Mapping[str, float]) -> str | None:
    floors = [arm.name for arm in benchmark.arms if arm.kind == "floor" and arm.name in rates]
    return max(floors, key=lambda name: rates[name], default=None)


def _ruling(found: Difference, *, interim: bool, ties: bool) -> Ruling:
    if interim:
        return "inconclusive"
    if found.interval.high < -found.margin:
        return "refuted"
    return "confirmed" if found.interval.low > -found.margin and not ties else "inconclusive"


def _reason(
    found: Difference,
    ruling: Ruling,
    declared_n: int,
    tying_floor: str | None,
    late: Sequence[str],
    mute: Sequence[str],
) -> str:
    margin = 100 * found.margin
    span = f"{100 * found.interval.low:+.1f} to {100 * found.interval.high:+.1f} points"
    if found.n < declared_n:
        return f"{found.n:,} of {declared_n:,} declared cases, no ruling before all are run: {span}"
    if late:
        return f"no ruling before all {declared_n:,} cases were run through {', '.join(late)} too: {span}"
    if mute:
        return f"no ruling: no run of {' or '.join(mute)} was completed, and none got as far as a model"
    if ruling == "refuted":
        return f"worse by more than {margin:g} points: {span}"
    if ruling == "confirmed":
        return f"at most {margin:g} points worse: {span}"
    if tying_floor:
        return f"no evidence: the trivial {tying_floor} does as well as the reference: {span}"
    return f"{span}; power {found.power:.2f}, 0.80 needs n = {found.n_for_80:,}"


def _strongest_reference(benchmark: Benchmark, grades: Mapping[str, Mapping[str, float]]) -> str:
    """Of several ways to ask the larger model the best one: a straw man would prove nothing.

    Choosing it by the outcomes leans towards the larger model, never towards the small one. One that has not
    answered as many of the candidate's cases as another is not in the running.
    """
    own = grades[benchmark.arms[0].name].keys()
    return max(
        _references(benchmark),
        key=lambda name: (len(own & grades[name].keys()), _mean([*grades[name].values()])),
    )


def _references(benchmark: Benchmark) -> list[str]:
    return [arm.name for arm in benchmark.arms if arm.kind == "reference"]


def _unfinished(
    benchmark: Benchmark, category: str, outcomes: Sequence[Outcome], declared_n: int
) -> list[str]:
    """The arms that a ruling rests on and that have not answered all declared cases, each repeat of them."""
    floors = [arm.name for arm in benchmark.arms if arm.kind == "floor"]
    late = []
    for name in dict.fromkeys([benchmark.arms[0].name, *_references(benchmark), *floors]):
        own = Counter(found.case_id for found in outcomes if (found.category, found.arm) == (category, name))
        if sum(count >= benchmark.repeats for count in own.values()) < declared_n:
            late.append(name)
    return late


def _mute(arms: Sequence[str], category: str, outcomes: Sequence[Outcome]) -> list[str]:
    """The arms that are out of order (no model may answer, an agent breaks): they are no comparison."""
    answering = {
        found.arm
        for found in outcomes
        if found.category == category and (found.status == "completed" or found.usage.calls)
    }
    return [arm for arm in arms if arm not in answering]


def _has(grades: Mapping[str, float], cases: Sequence[str]) -> bool:
    return grades.keys() >= set(cases)


def _grades(outcomes: Sequence[Outcome], category: str, arm: str) -> dict[str, float]:
    return mean_grades([found for found in outcomes if (found.category, found.arm) == (category, arm)])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
