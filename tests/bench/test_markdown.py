"""The README's table is what the committed records say."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orchestrator.bench.library import shipped_records
from orchestrator.bench.markdown import END, begin_of, verdict_table, with_table
from orchestrator.bench.record import BenchRecord
from orchestrator.bench.suite import read_suite
from orchestrator.workspace import builtin_root
from tests.bench.words import run

README = builtin_root() / "README.md"


@pytest.fixture
def record(root: Path) -> BenchRecord:
    bench, ledger, _ = asyncio.run(run(root))
    return bench.record({}, ledger)


def committed(suite: str) -> list[BenchRecord]:
    listed = read_suite([builtin_root()], suite)
    return [found for found in shipped_records([builtin_root()]) if found.benchmark.name in listed]


def test_a_family_is_a_row(record: BenchRecord) -> None:
    count, _, *rows = verdict_table([record]).splitlines()
    assert len(rows) == 3
    assert count.startswith("So far, of 1 families: **")
    assert f"1 {record.verdicts[0].ruling}" in count
    assert rows[2].startswith("| Say the word (words) | **")
    assert f"| {record.verdicts[0].difference.n} |" in rows[2]
    assert rows[2].count("|") == rows[0].count("|")


def test_a_floor_that_does_as_well_is_said(record: BenchRecord) -> None:
    (verdict,) = record.verdicts
    unclear = verdict.model_copy(update={"ruling": "inconclusive"})
    tied = unclear.model_copy(update={"floor": "guess", "floor_rate": verdict.reference_rate})
    for found, said in (
        (unclear, "| **inconclusive** |"),
        (tied, "| **inconclusive**; guess does as well |"),
    ):
        assert said in verdict_table([record.model_copy(update={"verdicts": (found,)})])


def test_what_is_non_inferior_but_not_confirmed_is_counted(record: BenchRecord) -> None:
    (verdict,) = record.verdicts
    for low, said in ((-0.04, "By the interval alone 1 are non-inferior."), (-0.06, "")):
        interval = verdict.difference.interval.model_copy(update={"low": low})
        difference = verdict.difference.model_copy(update={"interval": interval, "margin": 0.05})
        found = verdict.model_copy(update={"ruling": "inconclusive", "difference": difference})
        count = verdict_table([record.model_copy(update={"verdicts": (found,)})]).splitlines()[0]
        assert count.partition("**.")[2].strip() == said


def test_what_speaks_against_small_models_comes_first(record: BenchRecord) -> None:
    (verdict,) = record.verdicts
    rulings = ("confirmed", "inconclusive", "refuted")
    verdicts = tuple(verdict.model_copy(update={"ruling": ruling}) for ruling in rulings)
    rows = verdict_table([record.model_copy(update={"verdicts": verdicts})]).splitlines()[4:]
    assert [row.split("**")[1] for row in rows] == ["refuted", "inconclusive", "confirmed"]


def test_it_goes_between_the_markers_and_nothing_else_changes(record: BenchRecord) -> None:
    mine, other = (f"{begin_of(name)}\nold {name}\n{END}\n" for name in ("mine", "other"))
    new = with_table(f"before\n{other}{mine}after\n", [record], "mine")
    assert new.startswith(f"before\n{other}{begin_of('mine')}\nSo far, of 1 families")
    assert new.endswith(f"{END}\nafter\n")
    assert "old mine" not in new
    assert with_table(new, [record], "mine") == new
    with pytest.raises(ValueError, match="verdicts"):
        with_table("no markers", [record], "mine")


@pytest.mark.skipif(not README.is_file(), reason="installed without a README")
@pytest.mark.parametrize("suite", ["suite", "specialists"])
def test_the_readme_says_what_the_records_say(suite: str) -> None:
    text = README.read_text("utf-8")
    assert with_table(text, committed(suite), suite) == text, "type: make readme"


def test_no_committed_record_is_of_changed_code_or_unfinished() -> None:
    """An uncommitted change shows as a plus; what it was stands in the remark, and it decided nothing: all
    outcomes of a record have one fingerprint, and a part of them was made by the commit itself.
    """
    for record in shipped_records([builtin_root()]):
        assert record.commits, record.benchmark.name
        assert "unknown" not in record.commits, record.benchmark.name
        for changed in (commit for commit in record.commits if commit.endswith("+")):
            assert changed.removesuffix("+") in record.commits, record.benchmark.name
            assert f"{changed} is the same code" in (record.remark or ""), record.benchmark.name
        assert record.unscored == 0, record.benchmark.name
