"""Two records of the same work: another machine, another commit, another day.

Arms are matched by family and name. Where cases were answered in both, quality is paired case by case; time
and energy are compared as they stand, since only the reader knows what else differed.
"""

from __future__ import annotations

from orchestrator.bench.arms import Outcome
from orchestrator.bench.noninferiority import paired_difference
from orchestrator.bench.record import BenchRecord
from orchestrator.bench.statistics import Interval
from orchestrator.errors import UserError
from orchestrator.types import Record


class Change(Record):
    """One arm on one family, second record against the first. Ratios are second over first."""

    family: str
    arm: str
    shared: int
    identical: int
    quality: tuple[float, float]
    difference: float
    interval: Interval
    latency_ratio: float | None
    energy_ratio: float | None


def changes(first: BenchRecord, second: BenchRecord) -> list[Change]:
    """Raises UserError where the two have no arm and case in common."""
    if first.benchmark.name != second.benchmark.name:
        raise UserError(
            f"These are records of {first.benchmark.name!r} and of {second.benchmark.name!r}.",
            hint="Compare two records of one benchmark: lilliput bench compare A.json B.json",
        )
    found = [
        change
        for figure in first.figures
        if (change := _change(first, second, figure.family, figure.summary.arm))
    ]
    if not found:
        raise UserError(
            f"The two records of {first.benchmark.name!r} share no arm and case.",
            hint="They may be of different categories or seeds.",
        )
    return found


def differing(first: BenchRecord, second: BenchRecord) -> dict[str, tuple[str, str]]:
    """What is not the same in the two, by name: machine, commit, packages, data, models, prompts."""
    left, right = _origin(first), _origin(second)
    names = [name for name in {**left, **right} if left.get(name) != right.get(name)]
    return {name: (left.get(name, "–"), right.get(name, "–")) for name in names}


def _change(first: BenchRecord, second: BenchRecord, family: str, arm: str) -> Change | None:
    left, right = _answers(first, family, arm), _answers(second, family, arm)
    shared = sorted(left.keys() & right.keys())
    before, after = first.figure(family, arm), second.figure(family, arm)
    if not shared or before is None or after is None:
        return None
    grades = [[side[case].grade for case in shared] for side in (right, left)]
    difference = paired_difference(grades[0], grades[1], 0.05)
    mean = [sum(side) / len(shared) for side in grades]
    return Change(
        family=family,
        arm=arm,
        shared=len(shared),
        identical=sum(left[case].output == right[case].output for case in shared),
        quality=(mean[1], mean[0]),
        difference=difference.value,
        interval=difference.interval,
        latency_ratio=_ratio(after.summary.latency_p50_s, before.summary.latency_p50_s),
        energy_ratio=_ratio(after.joules_a_case, before.joules_a_case),
    )


def _answers(record: BenchRecord, family: str, arm: str) -> dict[str, Outcome]:
    return {
        outcome.case_id: outcome
        for outcome in record.outcomes
        if outcome.category == family and outcome.arm == arm and outcome.repeat == 0
    }


def _origin(record: BenchRecord) -> dict[str, str]:
    environment, commit = record.environment, record.environment.commit
    return {
        "made": record.made_at,
        "machine": f"{environment.usable_cpus} CPUs of {environment.cpu}, {environment.os}",
        "machine file": record.machine,
        "commit": f"{commit.id}{' with changes' if commit.dirty else ''}" if commit else "unknown",
        **{f"package {name}": version for name, version in environment.packages.items()},
        **record.fingerprint,
    }


def _ratio(after: float | None, before: float | None) -> float | None:
    return None if after is None or not before else after / before
