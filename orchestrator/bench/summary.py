"""From outcomes to figures: one summary per arm, one paired comparison, and what may be concluded from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from orchestrator.bench.arms import Outcome
from orchestrator.bench.noninferiority import bootstrap_mean
from orchestrator.bench.power import cases_needed
from orchestrator.bench.statistics import (
    Interval,
    Pairs,
    count_pairs,
    paired_difference,
    percentile,
    sign_test,
    wilson,
)
from orchestrator.types import Record, Source, Usage

SIGNIFICANT = 0.05
MARGIN = 0.05


class FamilyCount(Record):
    """Solved of n in one category."""

    category: str
    solved: int
    n: int


class ArmSummary(Record):
    """What one arm did over all cases. Latency is without loading, which is in `load_s`.

    `n` and `solved` (the full grade) count outcomes, each repeat of a case by itself, and so do the costs.
    `mean_grade` is the quality that rulings are about; its interval counts cases, not repeats.
    `ttft_p50_s`: time to first token of the first generation of a case; `tpot_s`: time per output token after
    the first, over all. `peak_memory_bytes` is the whole process's, with the models of every arm loaded.
    `generator_calls` and `generator_tokens` (read, written) leave encoders out: what a larger model would be
    paid for. `failed_but_solved`: runs that broke down where making no call is right. The leaderboard's
    checker counts them, but nobody decided anything in them.
    """

    arm: str
    n: int
    solved: int
    mean_grade: float = 0.0
    grade_interval: Interval = Interval(low=0.0, high=1.0)
    interval: Interval
    families: tuple[FamilyCount, ...]
    failed_runs: int
    failed_but_solved: int = 0
    latency_p50_s: float | None = None
    latency_p95_s: float | None = None
    ttft_p50_s: float | None = None
    tpot_s: float | None = None
    queue_s: float | None = None
    load_s: float
    cpu_s: float | None = None
    peak_memory_bytes: int | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    calls_by_model: dict[str, int]
    generator_calls: int = 0
    generator_tokens: tuple[int, int] = (0, 0)
    energy_j: float | None = None
    energy_source: Source | None = None
    idle_energy_j: float | None = None

    @property
    def success(self) -> float | None:
        return self.solved / self.n if self.n else None


class FamilyPairs(Record):
    """The pairs of one category."""

    category: str
    pairs: Pairs


class Comparison(Record):
    """Two arms on the same cases. Differences are first minus second."""

    first: str
    second: str
    pairs: Pairs
    difference: float
    interval: Interval
    p_value: float
    families: tuple[FamilyPairs, ...]
    faster_first: int
    faster_second: int
    faster_p_value: float


def summarise(arm: str, outcomes: Sequence[Outcome]) -> ArmSummary:
    own = [outcome for outcome in outcomes if outcome.arm == arm]
    usage = sum((outcome.usage for outcome in own), Usage())
    latencies = [outcome.latency_s for outcome in own]
    solved = sum(outcome.solved for outcome in own)
    return ArmSummary(
        arm=arm,
        n=len(own),
        solved=solved,
        mean_grade=sum(outcome.grade for outcome in own) / len(own) if own else 0.0,
        grade_interval=_grade_interval(own),
        interval=wilson(solved, len(own)),
        families=_families(own),
        failed_runs=sum(outcome.status != "completed" for outcome in own),
        failed_but_solved=sum(o.status != "completed" and o.solved and o.output is None for o in own),
        latency_p50_s=percentile(latencies, 0.5),
        latency_p95_s=percentile(latencies, 0.95),
        ttft_p50_s=percentile(_first_tokens(own), 0.5),
        tpot_s=_time_per_token(own),
        queue_s=usage.queue_s,
        load_s=sum(outcome.load_s for outcome in own),
        cpu_s=usage.cpu_s,
        peak_memory_bytes=max((o.peak_memory_bytes for o in own if o.peak_memory_bytes), default=None),
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        calls_by_model=_calls(own),
        generator_calls=sum(usage.calls for usage in _generators(own)),
        generator_tokens=_tokens(_generators(own)),
        energy_j=_energy(usage, own),
        energy_source=usage.energy_source,
        idle_energy_j=sum_known([outcome.idle_energy_j for outcome in own]),
    )


def compare(first: str, second: str, outcomes: Sequence[Outcome]) -> Comparison:
    """Pair the two arms case by case. Both must have answered the same cases."""
    left = sorted((o for o in outcomes if o.arm == first), key=lambda o: o.case_id)
    right = sorted((o for o in outcomes if o.arm == second), key=lambda o: o.case_id)
    if not left or [o.case_id for o in left] != [o.case_id for o in right]:
        raise ValueError(f"arms {first!r} and {second!r} did not answer the same cases")
    pairs = _pairs(left, right)
    faster = sum(a.latency_s < b.latency_s for a, b in zip(left, right, strict=True))
    slower = sum(a.latency_s > b.latency_s for a, b in zip(left, right, strict=True))
    return Comparison(
        first=first,
        second=second,
        pairs=pairs,
        difference=(pairs.first - pairs.second) / pairs.n,
        interval=paired_difference(pairs),
        p_value=sign_test(pairs.only_first, pairs.only_second),
        families=tuple(
            FamilyPairs(category=name, pairs=_pairs(*(_of(name, side) for side in (left, right))))
            for name in dict.fromkeys(outcome.category for outcome in outcomes)
        ),
        faster_first=faster,
        faster_second=slower,
        faster_p_value=sign_test(faster, slower),
    )


def conclusion(comparison: Comparison) -> str:
    """One sentence: what these cases allow to conclude, and what they do not. Every figure is computed."""
    c, pairs = comparison, comparison.pairs
    split = ", ".join(f"{f.category} {f.pairs.first} to {f.pairs.second}" for f in c.families)
    found = (
        f"On these {pairs.n} cases the {c.first} solved {pairs.first} and the {c.second} {pairs.second} "
        f"({split}; {_points(c.difference)} points, 95 % interval {_points(c.interval.low)} to "
        f"{_points(c.interval.high)}; exact McNemar {_p(c.p_value)} from {pairs.discordant} cases that "
        f"only one of them solved)"
    )
    return f"{found}: {_allowed(c)}, but {_not_allowed(c)}."


def _allowed(c: Comparison) -> str:
    claims = []
    if c.p_value < SIGNIFICANT:
        better = c.first if c.difference > 0 else c.second
        claims.append(f"the {better} solves more of such a mix of cases")
    if c.faster_p_value < SIGNIFICANT:
        quicker, won = (
            (c.first, c.faster_first) if c.faster_first > c.faster_second else (c.second, c.faster_second)
        )
        claims.append(
            f"the {quicker} is faster on this machine (in {won} of {c.pairs.n}, sign test "
            f"{_p(c.faster_p_value)})"
        )
    if not claims:
        return "they do not show which of the two solves more or is faster"
    return f"they show that {' and that '.join(claims)}"


def _not_allowed(c: Comparison) -> str:
    width = f"an interval {100 * c.interval.width:.0f} points wide"
    if c.p_value < SIGNIFICANT or c.interval.low >= -MARGIN:
        return f"{width} does not say by how much, nor anything about other work"
    worst, needed = -100 * c.interval.low, cases_needed(c.pairs, MARGIN)
    return (
        f"{width} still allows the {c.first} to be {worst:.0f} points worse, and to show that it is at most "
        f"{100 * MARGIN:.0f} points worse would take about {needed:,} such cases"
    )


def _pairs(left: Sequence[Outcome], right: Sequence[Outcome]) -> Pairs:
    return count_pairs([outcome.solved for outcome in left], [outcome.solved for outcome in right])


def _of(category: str, outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.category == category]


def _points(share: float) -> str:
    return f"{100 * share:+.0f}"


def _p(value: float) -> str:
    return f"p = {value:.2g}" if value >= 0.001 else "p < 0.001"


def _families(outcomes: Sequence[Outcome]) -> tuple[FamilyCount, ...]:
    names = dict.fromkeys(outcome.category for outcome in outcomes)
    return tuple(
        FamilyCount(
            category=name,
            solved=sum(o.solved for o in outcomes if o.category == name),
            n=sum(o.category == name for o in outcomes),
        )
        for name in names
    )


def _calls(outcomes: Sequence[Outcome]) -> dict[str, int]:
    calls: Counter[str] = Counter()
    for outcome in outcomes:
        calls.update({model: usage.calls for model, usage in outcome.usage_by_model.items()})
    # Code and overhead are in the usage too, but call no model.
    return {model: count for model, count in sorted(calls.items()) if count}


def _generators(outcomes: Sequence[Outcome]) -> list[Usage]:
    return [usage for o in outcomes for usage in o.usage_by_model.values() if usage.completion_tokens]


def _tokens(usages: Sequence[Usage]) -> tuple[int, int]:
    return sum(u.prompt_tokens or 0 for u in usages), sum(u.completion_tokens or 0 for u in usages)


def mean_grades(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The mean grade of each case over its repeats: cases are the independent units, repeats are not."""
    found: dict[str, list[float]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.case_id, []).append(outcome.grade)
    return {case: sum(grades) / len(grades) for case, grades in found.items()}


def _grade_interval(outcomes: Sequence[Outcome]) -> Interval:
    """95 %: Wilson's where every case is right or wrong, else a bootstrap of the mean. A case that was
    repeated counts once, with its mean grade: its repeats are no new evidence about other cases.
    """
    grades = [*mean_grades(outcomes).values()]
    if set(grades) <= {0.0, 1.0}:
        return wilson(grades.count(1.0), len(grades))
    return bootstrap_mean(grades)


def _energy(usage: Usage, outcomes: Sequence[Outcome]) -> float | None:
    """What the runs were charged, and what it took to begin and end their records."""
    if usage.energy_j is None:
        return None
    return usage.energy_j + sum(outcome.around_energy_j or 0.0 for outcome in outcomes)


def _first_tokens(outcomes: Sequence[Outcome]) -> list[float]:
    times = ([u.ttft_s for u in o.usage_by_model.values() if u.ttft_s is not None] for o in outcomes)
    return [found[0] for found in times if found]


def _time_per_token(outcomes: Sequence[Outcome]) -> float | None:
    """Seconds from first to last token over the tokens after the first, of everything that was generated."""
    used = [u for o in outcomes for u in o.usage_by_model.values() if u.completion_tokens and u.decode_s]
    tokens = sum((u.completion_tokens or 0) - u.calls for u in used)
    return sum(u.decode_s or 0.0 for u in used) / tokens if tokens > 0 else None


def sum_known(values: Sequence[float | None]) -> float | None:
    """None as soon as one is not known: a sum over some of the cases would look like one over all."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
