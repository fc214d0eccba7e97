"""The ledger survives crashes and counts a call once; amounts are read as people write them."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.kit.amounts import parse_amount
from orchestrator.kit.ledger import Ledger


def test_entries_are_numbered_and_kept(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "deep" / "tickets.jsonl", "T")
    assert ledger.entries() == []
    first, is_new = ledger.write("a", {"summary": "één"})
    second, _ = ledger.write("b", {"summary": "two"})
    assert is_new
    assert (first["number"], second["number"]) == ("T-00001", "T-00002")
    assert [entry["summary"] for entry in ledger.entries()] == ["één", "two"]


def test_the_same_key_is_written_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "tickets.jsonl", "T")
    first, _ = ledger.write("key", {"summary": "x"})
    again, is_new = ledger.write("key", {"summary": "changed"})
    assert again == first
    assert not is_new
    assert len(ledger.entries()) == 1


def test_a_half_written_line_is_skipped_and_closed_off(tmp_path: Path) -> None:
    file = tmp_path / "tickets.jsonl"
    ledger = Ledger(file, "T")
    ledger.write("a", {})
    with file.open("a") as stream:
        stream.write('{"number": "T-00002", "ke')
    entry, _ = ledger.write("b", {})
    assert entry["number"] == "T-00002"
    assert [item["key"] for item in ledger.entries()] == ["a", "b"]


def test_threads_do_not_lose_entries(tmp_path: Path) -> None:
    file = tmp_path / "tickets.jsonl"
    threads = [threading.Thread(target=Ledger(file, "T").write, args=(f"k{n % 10}", {})) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [entry["number"] for entry in Ledger(file, "T").entries()]
    assert numbers == [f"T-{n:05d}" for n in range(1, 11)]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("€ 1.234,50", "1234.50"),
        ("EUR 1,234.50", "1234.50"),
        ("1 234,50", "1234.50"),
        ("1'234.50", "1234.50"),
        ("99,-", "99"),
        ("-12", "-12"),
        ("1.234", "1234"),
        ("1,234", "1234"),
        ("12.345.678,90", "12345678.90"),
        ("0,99", "0.99"),
        (3.5, "3.5"),
    ],
)
def test_amounts_are_read_in_dutch_and_english(text: str | float, amount: str) -> None:
    assert parse_amount(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "abc", "12 13", "5 pieces", "1,2,3", "12-03-2026"])
def test_what_is_no_single_amount_is_none(text: str) -> None:
    assert parse_amount(text) is None


@given(st.decimals(min_value=0, max_value=10**9, places=2, allow_nan=False))
def test_every_amount_survives_its_notation(amount: Decimal) -> None:
    english = f"{amount:,.2f}"
    assert parse_amount(english) == amount
    assert parse_amount("€ " + english.translate(str.maketrans(",.", ".,"))) == amount
