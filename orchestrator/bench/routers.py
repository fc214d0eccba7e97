"""How good could, and how bad would, a router between the small arm and the reference be?

Computed from outcomes that are there already; nothing is run. A router sends some share of the cases to the
reference (the *strong* arm) and the rest to the first arm (the *weak* one). For quality q:

    PGR   = (q(router) - q(weak)) / (q(strong) - q(weak))      performance gap recovered
    APGR  = the mean PGR over all shares from 0 to 1
    CPT(x) = the least share of strong calls at which PGR reaches x

as defined by Ong et al., "RouteLLM: Learning to Route LLMs with Preference Data" (arXiv 2406.18665), section
4. Only meaningful where the strong arm is better.

- `random`: PGR grows in a straight line, APGR 0.5.
- `oracle`: sends exactly the cases that only the strong arm gets more of, the largest gain first.
- `confidence`: sends those first that the weak arm was least sure of; its own figure, no extra call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.bench.arms import Outcome
from orchestrator.types import Record

Floats = NDArray[np.float64]


class Router(Record):
    """One row. `cpt`: share of strong calls for 50 and 80 % of the gap; None where it is never reached."""

    name: str
    apgr: float
    cpt_50: float | None = None
    cpt_80: float | None = None


class RouterTable(Record):
    """Between which two arms, and how far apart they are."""

    family: str
    weak: str
    strong: str
    weak_rate: float
    strong_rate: float
    rows: tuple[Router, ...]


def router_table(family: str, weak: str, strong: str, outcomes: Sequence[Outcome]) -> RouterTable | None:
    """None where the strong arm is not better, or the two share no case."""
    of = {arm: by_case(family, arm, outcomes) for arm in (weak, strong)}
    shared = sorted(of[weak].keys() & of[strong].keys())
    if not shared:
        return None
    low = np.array([of[weak][case].grade for case in shared])
    high = np.array([of[strong][case].grade for case in shared])
    if high.mean() <= low.mean():
        return None
    gain = high - low
    straight = np.linspace(0.0, 1.0, len(shared) + 1)
    rows = [
        router_of("random", straight),
        router_of("oracle", recovered_by(gain, gain)),
    ]
    sure = [of[weak][case].confidence for case in shared]
    known = [value for value in sure if value is not None]
    if len(known) == len(shared):
        rows.append(router_of("confidence", recovered_by(gain, -np.array(known))))
    return RouterTable(
        family=family,
        weak=weak,
        strong=strong,
        weak_rate=float(low.mean()),
        strong_rate=float(high.mean()),
        rows=tuple(rows),
    )


def by_case(family: str, arm: str, outcomes: Sequence[Outcome]) -> Mapping[str, Outcome]:
    """The first answer of an arm to each case of a family."""
    return {o.case_id: o for o in outcomes if o.category == family and o.arm == arm and o.repeat == 0}


def recovered_by(gain: Floats, score: Floats) -> Floats:
    """PGR after 0, 1, ... n cases went to the strong arm, those with the highest score first."""
    recovered: Floats = np.concatenate([[0.0], np.cumsum(in_turn(gain, score))]) / gain.sum()
    return recovered


def in_turn(values: Floats, score: Floats) -> Floats:
    """Values in the order in which a router sends their cases, the highest score first.

    It cannot tell cases with one score apart: each of them has their mean, that of all orders of them.
    """
    _, places, many = np.unique(-score, return_inverse=True, return_counts=True)
    means: Floats = np.bincount(places, weights=values) / many
    return np.repeat(means, many)


def router_of(name: str, recovered: Floats) -> Router:
    """Its figures from its PGR after 0, 1, ... n strong calls."""
    return Router(
        name=name,
        apgr=float(np.trapezoid(recovered, dx=1 / (len(recovered) - 1))),
        cpt_50=_least_share(recovered, 0.5),
        cpt_80=_least_share(recovered, 0.8),
    )


def _least_share(recovered: Floats, wanted: float) -> float | None:
    reached = np.flatnonzero(recovered >= wanted - 1e-12)
    return float(reached[0] / (len(recovered) - 1)) if len(reached) else None
