"""Two records of the same work: which way differences and ratios point."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orchestrator.bench.comparing import changes, differing
from orchestrator.bench.record import BenchRecord
from orchestrator.errors import UserError
from tests.bench.words import run


@pytest.fixture
def record(root: Path) -> BenchRecord:
    """The crew right in six of eight cases, the reference in none."""
    bench, ledger, _ = asyncio.run(run(root))
    return bench.record({}, ledger)


def worse(record: BenchRecord) -> BenchRecord:
    """The same cases, none of them solved, in twice the time and for three times the energy."""
    outcomes = tuple(found.model_copy(update={"grade": 0.0, "output": None}) for found in record.outcomes)
    figures = []
    for figure in record.figures:
        latency_s, energy_j = figure.summary.latency_p50_s, figure.costs.energy_j
        assert latency_s
        assert energy_j
        summary = figure.summary.model_copy(update={"latency_p50_s": 2 * latency_s})
        costs = figure.costs.model_copy(update={"energy_j": 3 * energy_j})
        figures.append(figure.model_copy(update={"summary": summary, "costs": costs}))
    return record.model_copy(
        update={"outcomes": outcomes, "figures": tuple(figures), "models": {"small": "x"}}
    )


def test_the_second_record_is_held_against_the_first(record: BenchRecord) -> None:
    crew, reference = changes(record, worse(record))
    solved = sum(found.grade for found in record.outcomes if found.arm == "crew") / 8
    assert solved > 0
    assert crew.quality == (solved, 0.0)
    assert crew.difference == pytest.approx(-solved)
    assert crew.interval.low < -solved < crew.interval.high < 0
    assert crew.latency_ratio == pytest.approx(2.0)
    assert crew.energy_ratio == pytest.approx(3.0)
    assert (crew.shared, crew.identical, reference.difference) == (8, 0, 0.0)
    back = changes(worse(record), record)[0]
    assert back.difference == pytest.approx(solved)
    assert back.energy_ratio == pytest.approx(1 / 3)


def test_a_record_against_itself_is_the_same(record: BenchRecord) -> None:
    (crew, _) = changes(record, record)
    assert (crew.identical, crew.difference, crew.latency_ratio, crew.energy_ratio) == (8, 0.0, 1.0, 1.0)
    assert differing(record, record) == {}


def test_nothing_in_common_is_an_error(record: BenchRecord) -> None:
    with pytest.raises(UserError, match="share no arm and case"):
        changes(record, record.model_copy(update={"outcomes": ()}))
    other = record.model_copy(update={"benchmark": record.benchmark.model_copy(update={"name": "others"})})
    with pytest.raises(UserError, match="records of 'words' and of 'others'"):
        changes(record, other)
