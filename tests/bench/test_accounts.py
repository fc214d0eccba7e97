"""The books close when everything is charged once, and say so when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.bench.accounts import Books, books_of
from orchestrator.bench.arms import Outcome
from orchestrator.meter.books import Drawn, Span
from orchestrator.types import Usage
from tests.bench.helpers import make_outcome
from tests.bench.words import open_bench, run


def outcome(case: int, arm: str, charged_j: float, metered_j: float) -> Outcome:
    model, overhead = (
        Usage(energy_j=0.9 * charged_j, energy_source="modelled"),
        Usage(energy_j=0.1 * charged_j),
    )
    return make_outcome(
        case,
        arm,
        True,
        usage=model + overhead,
        usage_by_model={"tiny": model, "overhead": overhead},
        idle_energy_j=5.0,
        metered_energy_j=metered_j,
    )


def books(*outcomes: Outcome) -> Books:
    found = books_of(outcomes)
    assert found
    return found


def test_all_lines_are_there_and_add_up() -> None:
    found = books(outcome(1, "crew", 10.0, 10.0), outcome(1, "reference", 100.0, 101.0))
    assert found.closed
    assert found.residual == pytest.approx(1.0 / 121.0)
    crew = found.accounts[0]
    assert (crew.models_j, crew.controller_j, crew.code_j, crew.idle_j) == pytest.approx((9.0, 1.0, 0.0, 5.0))
    assert crew.residual_j == pytest.approx(0.0)


@pytest.mark.parametrize("wrong", [0.8, 1.2])
def test_a_fifth_too_little_or_too_much_is_caught(wrong: float) -> None:
    found = books(outcome(1, "crew", 10.0 * wrong, 10.0), outcome(1, "reference", 100.0 * wrong, 100.0))
    assert not found.closed
    assert "charged to nobody or twice" in found.reason


def test_a_fifth_charged_to_the_wrong_arm_is_caught_though_the_sum_is_right() -> None:
    found = books(outcome(1, "crew", 10.0 + 20.0, 10.0), outcome(1, "reference", 100.0 - 20.0, 100.0))
    assert found.residual == pytest.approx(0.0)
    assert not found.closed
    assert "'crew'" in found.reason


def test_an_arm_that_draws_next_to_nothing_has_one_percent_of_what_all_draw() -> None:
    """120 J in all: 1.2 J may be missing from an arm of 10 J, 1.3 J may not."""
    for missing, closed in ((1.1, True), (1.3, False)):
        found = books(outcome(1, "crew", 5.0 - missing, 5.0), outcome(1, "reference", 105.0, 105.0))
        assert found.closed is closed, found.reason


def test_joules_charged_to_an_arm_whose_meter_stood_still_are_a_reason() -> None:
    still = outcome(1, "crew", 10.0, 0.0).model_copy(update={"idle_energy_j": 0.0})
    found = books(still, outcome(1, "reference", 300.0, 310.0))
    assert not found.closed
    assert "arm 'crew' drew 0 J by the meter and was charged 10 J" in found.reason


def test_without_a_meter_around_the_case_there_are_no_books() -> None:
    assert books_of([make_outcome(1, "crew", True)]) is None
    assert books_of([]) is None


async def test_the_books_of_a_real_run_close(root: Path) -> None:
    bench, ledger, _ = await run(root)
    record = bench.record({}, ledger)
    assert record.books
    assert {account.arm for account in record.books.accounts} == {"crew", "reference"}
    assert record.books.closed, record.books.reason
    assert all(account.metered_j > account.idle_j > 0 for account in record.books.accounts)


async def test_a_meter_that_loses_a_fifth_leaves_no_joules_in_the_record(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Span.charge

    def forget_a_fifth(span: Span, drawn: Drawn, share: int) -> None:
        honest(span, drawn._replace(cpu_s=0.8 * drawn.cpu_s), share)

    monkeypatch.setattr(Span, "charge", forget_a_fifth)
    machine = root / "configs" / "machines" / "default.yaml"
    machine.write_text(machine.read_text().replace('"idle_watts": 20', '"idle_watts": 0'))
    bench, ledger, _ = await run(root)
    record = bench.record({}, ledger)
    assert record.books
    assert not record.books.closed
    assert {figure.summary.energy_j for figure in record.figures} == {None}
    assert {figure.costs.energy_j for figure in record.figures} == {None}
    assert open_bench(root).ledger(bench.models()).memory_bytes.keys() == {"small", "large"}
