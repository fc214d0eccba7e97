"""Routers that would have to decide between the small arm and the larger one, over recorded outcomes.

As in `routers.py` nothing is run; here a router may also look at the case's text:

    knn          the gain of the larger arm on the ten nearest other cases of the family, by their embeddings:
                 a router that has seen such work answered both ways
    knn-others   the same from the cases of all other families: one that has not (leave one family out)
    agreement    how many other arms said the same as the small one, of those that asked models and never the
                 larger one; all of them are paid for. What the policy `agree` goes by

`saved`: seconds that a router saves at equal success. It sends cases to the larger arm in its order until as
much is right as with the larger arm alone; one that needs an answer of the small arm first (`confidence`,
`agreement`) pays for both. Intervals are of a bootstrap over the cases (1,000 draws, 95 %), with the
router's scores as they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.bench.arms import Outcome
from orchestrator.bench.record import BenchRecord
from orchestrator.bench.routers import by_case, in_turn, recovered_by, router_of
from orchestrator.bench.statistics import Interval
from orchestrator.bench.verdict import Verdict
from orchestrator.types import Record

Floats = NDArray[np.float64]
_NEIGHBOURS, _DRAWS = 10, 1000
_FREE = {"code", "overhead"}


class Paired(NamedTuple):
    """The cases of one family that both arms answered; arrays run over them.

    `sure`: of the small arm. `agree`: how many other arms said the same, which took `agree_s` seconds; None
    where there is no other arm that could be asked.
    """

    family: str
    weak: str
    strong: str
    low: Floats
    high: Floats
    low_s: Floats
    high_s: Floats
    sure: Floats | None
    vectors: Floats
    agree: Floats | None
    agree_s: Floats


class StudiedRouter(Record):
    """`saved`: a share of the larger arm's seconds; below 0 where the router costs more."""

    name: str
    apgr: float
    apgr_interval: Interval
    cpt_50: float | None
    cpt_80: float | None
    saved: float


class StudiedFamily(Record):
    """`n` cases. Only families in which the larger arm is better have something to route for."""

    family: str
    weak: str
    strong: str
    n: int
    weak_rate: float
    strong_rate: float
    rows: tuple[StudiedRouter, ...]


class Study(Record):
    """What was found, and from what: when each record was made, and the encoder that compared texts."""

    families: tuple[StudiedFamily, ...]
    records: Mapping[str, str]
    encoder: str
    seed: int
    commit: str | None
    made_at: str


def paired(record: BenchRecord, vectors: Mapping[str, Floats]) -> list[Paired]:
    """Of each ruled family in which the larger arm is better. `vectors`: of the cases' texts, by case."""
    return [pair for verdict in record.verdicts if (pair := _pair(record, verdict, vectors))]


def _pair(record: BenchRecord, verdict: Verdict, vectors: Mapping[str, Floats]) -> Paired | None:
    answered = {arm.name: by_case(verdict.family, arm.name, record.outcomes) for arm in record.benchmark.arms}
    weak, strong = answered.pop(verdict.candidate), answered.pop(verdict.reference)
    shared = sorted(weak.keys() & strong.keys() & vectors.keys())
    low, high = (np.array([arm[case].grade for case in shared]) for arm in (weak, strong))
    if not shared or high.mean() <= low.mean():
        return None
    sure = [weak[case].confidence for case in shared]
    known = [value for value in sure if value is not None]
    large = _most_used(strong.values())
    others = [of for of in answered.values() if of.keys() >= set(shared) and _is_cheap(of.values(), large)]
    asked_too = [[of[case] for of in others] for case in shared]
    alike = [_alike(weak[case], asked) for case, asked in zip(shared, asked_too, strict=True)]
    return Paired(
        family=f"{record.benchmark.name} {verdict.family}",
        weak=verdict.candidate,
        strong=verdict.reference,
        low=low,
        high=high,
        low_s=np.array([weak[case].latency_s for case in shared]),
        high_s=np.array([strong[case].latency_s for case in shared]),
        sure=np.array(known) if len(known) == len(shared) else None,
        vectors=np.stack([vectors[case] for case in shared]),
        agree=np.array(alike, dtype=float) if others else None,
        agree_s=np.array([sum(outcome.latency_s for outcome in asked) for asked in asked_too]),
    )


def _most_used(outcomes: Iterable[Outcome]) -> str:
    """The model in which an arm spends most of its time; "" for one that asks none."""
    spent: dict[str, float] = defaultdict(float)
    for outcome in outcomes:
        for name, usage in outcome.usage_by_model.items():
            spent[name] += usage.duration_s or 0.0
    asked = {name: seconds for name, seconds in spent.items() if name not in _FREE}
    return max(asked, key=asked.__getitem__, default="")


def _is_cheap(outcomes: Iterable[Outcome], large: str) -> bool:
    """Whether models answered, and not the larger arm's."""
    used = {model for outcome in outcomes for model in outcome.usage_by_model} - _FREE
    return bool(used) and large not in used


def _alike(outcome: Outcome, others: Sequence[Outcome]) -> int:
    """How many of the others said the same. A run that failed has said nothing."""
    return sum(o.status == outcome.status == "completed" and _same(o.output, outcome.output) for o in others)


def _same(one: Any, other: Any) -> bool:
    """In what both of them tell: agents for one task may put a score beside the answer, or none."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return bool(one == other)
    shared = one.keys() & other.keys()
    return bool(shared) and all(one[key] == other[key] for key in shared)


def study(families: Sequence[Paired], seed: int = 1) -> list[StudiedFamily]:
    return [_studied(family, families, np.random.default_rng(seed)) for family in families]


def _studied(family: Paired, every: Sequence[Paired], random: np.random.Generator) -> StudiedFamily:
    gain = family.high - family.low
    n = len(gain)
    others = [other for other in every if other.family != family.family]
    scores = {"oracle": gain, "knn": _near_gain(family.vectors, family.vectors, gain, own=True)}
    if others:
        known = np.concatenate([other.vectors for other in others])
        gains = np.concatenate([other.high - other.low for other in others])
        scores["knn-others"] = _near_gain(family.vectors, known, gains, own=False)
    if family.sure is not None:
        scores["confidence"] = -family.sure
    if family.agree is not None:
        scores["agreement"] = -family.agree
    rows = [_row(name, score, family, random) for name, score in scores.items()]
    middle = StudiedRouter(
        name="random",
        apgr=0.5,
        apgr_interval=Interval(low=0.5, high=0.5),
        cpt_50=0.5,
        cpt_80=0.8,
        saved=0.0,
    )
    return StudiedFamily(
        family=family.family,
        weak=family.weak,
        strong=family.strong,
        n=n,
        weak_rate=float(family.low.mean()),
        strong_rate=float(family.high.mean()),
        rows=(middle, *rows),
    )


def _near_gain(asked: Floats, known: Floats, gains: Floats, *, own: bool) -> Floats:
    """Mean gain of the nearest; `own`: a case is none of its own neighbours."""
    near = asked @ known.T
    if own:
        np.fill_diagonal(near, -np.inf)
    many = min(_NEIGHBOURS, len(gains) - own)
    order = np.argsort(-near, axis=1, kind="stable")[:, :many]
    mean: Floats = gains[order].mean(axis=1)
    return mean


def _row(name: str, score: Floats, family: Paired, random: np.random.Generator) -> StudiedRouter:
    gain = family.high - family.low
    found = router_of(name, recovered_by(gain, score))
    return StudiedRouter(
        name=name,
        apgr=found.apgr,
        apgr_interval=_interval(gain, score, random),
        cpt_50=found.cpt_50,
        cpt_80=found.cpt_80,
        saved=_saved(name, score, family),
    )


def _interval(gain: Floats, score: Floats, random: np.random.Generator) -> Interval:
    """Draws without a gain at all have no APGR and are left out."""
    found = []
    for _ in range(_DRAWS):
        drawn = random.integers(0, len(gain), len(gain))
        if gain[drawn].sum() <= 0:
            continue
        found.append(router_of("", recovered_by(gain[drawn], score[drawn])).apgr)
    low, high = np.quantile(found, [0.025, 0.975]) if found else (float("-inf"), float("inf"))
    return Interval(low=float(low), high=float(high))


def _saved(name: str, score: Floats, family: Paired) -> float:
    """At the least share of strong calls with which as much is right as with these alone."""
    reached = int(np.flatnonzero(recovered_by(family.high - family.low, score) >= 1 - 1e-9)[0])
    low_s, high_s = in_turn(family.low_s, score), in_turn(family.high_s, score)
    spent = high_s[:reached].sum() + low_s[reached:].sum()
    if name in ("confidence", "agreement"):
        spent += low_s[:reached].sum()
    if name == "agreement":
        spent += family.agree_s.sum()
    return float(1 - spent / family.high_s.sum())
