"""APGR and CPT against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.bench.arms import Outcome
from orchestrator.bench.routers import Router, RouterTable, in_turn, recovered_by, router_table
from tests.bench.helpers import make_outcome

# Four cases: both right, only the strong one right (twice), both wrong.
WEAK, STRONG = (True, False, False, False), (True, True, True, False)


def outcomes(sure: tuple[float | None, ...] = (None,) * 4) -> list[Outcome]:
    weak = [
        make_outcome(n, "small", ok, confidence=c) for n, (ok, c) in enumerate(zip(WEAK, sure, strict=True))
    ]
    return weak + [make_outcome(n, "large", ok) for n, ok in enumerate(STRONG)]


def rows(found: RouterTable | None) -> dict[str, Router]:
    assert found
    return {row.name: row for row in found.rows}


def test_random_is_a_straight_line_and_the_oracle_asks_only_where_it_helps() -> None:
    table = router_table("multiple", "small", "large", outcomes())
    found = rows(table)
    assert table
    assert (table.weak_rate, table.strong_rate) == (0.25, 0.75)
    assert found["random"].apgr == pytest.approx(0.5)
    assert (found["random"].cpt_50, found["random"].cpt_80) == (0.5, 1.0)
    # PGR 0, 1/2, 1, 1, 1 after 0 to 4 cases: area (1/4 + 3/4 + 1 + 1) / 4.
    assert found["oracle"].apgr == pytest.approx(3.0 / 4)
    assert (found["oracle"].cpt_50, found["oracle"].cpt_80) == (0.25, 0.5)
    assert "confidence" not in found


def test_cases_that_a_router_cannot_tell_apart_count_by_their_mean_whatever_their_order() -> None:
    gain, score = np.array([0.0, 1.0, 0.0, 1.0]), np.array([2.0, 1.0, 1.0, 1.0])
    assert in_turn(gain, score) == pytest.approx([0, 2 / 3, 2 / 3, 2 / 3])
    for order in ([3, 2, 1, 0], [2, 0, 3, 1]):
        assert in_turn(gain[order], score[order]) == pytest.approx(in_turn(gain, score))
    assert recovered_by(gain, np.zeros(4)) == pytest.approx([0, 0.25, 0.5, 0.75, 1]), "as at random"


def test_confidence_that_knows_equals_the_oracle_and_one_that_errs_is_worse_than_chance() -> None:
    knows = rows(router_table("multiple", "small", "large", outcomes((0.9, 0.1, 0.2, 0.8))))
    errs = rows(router_table("multiple", "small", "large", outcomes((0.1, 0.9, 0.8, 0.2))))
    assert knows["confidence"].apgr == pytest.approx(knows["oracle"].apgr)
    assert errs["confidence"].apgr < 0.5


def test_there_is_nothing_to_route_where_the_larger_one_is_no_better() -> None:
    assert router_table("multiple", "large", "small", outcomes()) is None
    assert router_table("another", "small", "large", outcomes()) is None
