"""Routers over recorded outcomes: figures known by hand; a neighbour of another family tells nothing."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.bench.library import shipped_records
from orchestrator.bench.record import BenchRecord
from orchestrator.bench.router_study import Paired, StudiedRouter, paired, study
from orchestrator.workspace import builtin_root


def family(name: str, low: list[float], high: list[float], vectors: np.ndarray, **fields: object) -> Paired:
    n = len(low)
    values = {
        "family": name, "weak": "small", "strong": "large", "low": np.array(low), "high": np.array(high),
        "low_s": np.full(n, 1.0), "high_s": np.full(n, 10.0), "sure": None, "vectors": vectors,
        "agree": None, "agree_s": np.zeros(n), **fields,
    }  # fmt: skip
    return Paired(**values)  # type: ignore[arg-type]


def two_kinds(seed: int, n: int = 60) -> tuple[list[float], list[float], np.ndarray]:
    """Work of two kinds, far apart; the small arm can only do the first, the large one both."""
    random = np.random.default_rng(seed)
    kind = np.arange(n) % 2
    vectors = np.eye(8)[kind] + 0.05 * random.normal(size=(n, 8))
    return (1.0 - kind).tolist(), [1.0] * n, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def rows(families: list[Paired], place: int = 0) -> dict[str, StudiedRouter]:
    return {row.name: row for row in study(families)[place].rows}


def test_neighbours_of_the_same_work_tell_as_much_as_an_oracle() -> None:
    found = rows([family("a", *two_kinds(0))])
    assert found["knn"].apgr == pytest.approx(found["oracle"].apgr)
    assert (found["oracle"].cpt_50, found["oracle"].cpt_80) == (0.25, 0.4)
    assert found["oracle"].saved == pytest.approx(1 - (30 * 10 + 30 * 1) / 600)
    assert (found["random"].apgr, found["random"].saved) == (0.5, 0.0)


def test_other_families_are_no_help_where_they_are_the_other_way_round() -> None:
    low, high, vectors = two_kinds(0)
    turned = family("b", low[::-1], high, vectors)
    found = rows([family("a", low, high, vectors), turned])
    assert found["knn"].apgr > 0.7
    assert found["knn-others"].apgr < 0.3


def test_who_asks_the_small_arm_first_pays_for_both() -> None:
    low, high, vectors = two_kinds(0)
    found = rows([family("a", low, high, vectors, sure=np.array(low))])
    assert found["confidence"].apgr == pytest.approx(found["oracle"].apgr)
    assert found["confidence"].saved == pytest.approx(found["oracle"].saved - 30 / 600)


def test_who_asks_others_whether_they_agree_pays_for_all_of_them() -> None:
    low, high, vectors = two_kinds(0)
    agree = np.array(low) * 2
    found = rows([family("a", low, high, vectors, agree=agree, agree_s=np.full(60, 0.5))])
    assert found["agreement"].apgr == pytest.approx(found["oracle"].apgr)
    assert found["agreement"].saved == pytest.approx(found["oracle"].saved - 30 / 600 - 60 * 0.5 / 600)
    assert "agreement" not in rows([family("a", low, high, vectors)])


def test_only_arms_that_ask_other_models_can_agree_and_only_with_an_answer() -> None:
    (record,) = (r for r in shipped_records((builtin_root(),)) if r.benchmark.name == "xsid")
    cases = sorted({outcome.case_id for outcome in record.outcomes})
    vectors = {case: np.ones(2) for case in cases}

    def agreeing(record: BenchRecord) -> list[float]:
        (found,) = paired(record, vectors)
        return [] if found.agree is None else found.agree.tolist()

    said = {(o.arm, o.case_id): o.output["label"] for o in record.outcomes if o.status == "completed"}
    others = ("small-zero", "small-few")
    by_hand = [sum(said["encoder", case] == said.get((arm, case)) for arm in others) for case in cases]
    assert agreeing(record) == by_hand
    assert set(by_hand) == {0, 1, 2}
    lost = [o.model_copy(update={"status": "failed", "output": None}) for o in record.outcomes]
    assert set(agreeing(record.model_copy(update={"outcomes": lost}))) == {0}
    alone = [o for o in record.outcomes if not o.arm.startswith("small")]
    assert agreeing(record.model_copy(update={"outcomes": alone})) == [], "a floor asks no model"


def test_an_interval_holds_its_figure_and_is_the_same_again() -> None:
    first, again = (rows([family("a", *two_kinds(3, 40))]) for _ in range(2))
    for name, row in first.items():
        assert row.apgr_interval.low <= row.apgr <= row.apgr_interval.high
        assert again[name] == row
