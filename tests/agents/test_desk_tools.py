"""The desk's and the quote desk's tools: they write once, check to the cent, and never guess a price."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ToolError
from orchestrator.kit.ledger import Ledger
from orchestrator.tools import ToolContext
from tests.agents.crew import toolbox, workspace


def context(folder: Path, key: str = "key") -> ToolContext:
    roots = (*workspace().roots, folder)
    return ToolContext(state_dir=folder / "state", content_roots=roots, run_id="r", idempotency_key=key)


async def use(name: str, arguments: dict[str, Any], folder: Path, key: str = "key") -> Any:
    return await toolbox().get(name).call(arguments, context(folder, key))


def entries(folder: Path, name: str) -> list[dict[str, Any]]:
    return Ledger(folder / "state" / "ledgers" / f"{name}.jsonl", "").entries()


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("create_ticket", "write"),
        ("book_invoice", "write"),
        ("send_quote", "write"),
        ("check_invoice", "read"),
        ("look_up_prices", "read"),
        ("write_quote", "read"),
    ],
)
def test_every_tool_declares_what_it_changes(name: str, effect: str) -> None:
    spec = toolbox().specs[name]
    assert spec.effect == effect
    assert spec.description
    assert "context" not in spec.parameters["properties"]


# --- tools that write -----------------------------------------------------------------------------------


async def test_a_ticket_is_opened_once_for_the_same_step(tmp_path: Path) -> None:
    first = await use("create_ticket", {"summary": "printer", "fields": {"device": "printer"}}, tmp_path)
    again = await use("create_ticket", {"summary": "printer"}, tmp_path)
    other = await use("create_ticket", {"summary": "printer"}, tmp_path, key="other")
    assert first == {"number": "T-00001", "new": True}
    assert again == {"number": "T-00001", "new": False}
    assert other["number"] == "T-00002"
    assert entries(tmp_path, "tickets")[0]["fields"] == {"device": "printer"}


async def test_an_invoice_is_booked_once(tmp_path: Path) -> None:
    invoice = {"invoice_number": "F1", "supplier": "Acme", "total": "12.10"}
    assert (await use("book_invoice", invoice, tmp_path))["number"] == "B-00001"
    assert (await use("book_invoice", invoice, tmp_path))["new"] is False
    with pytest.raises(ToolError, match="F1 of Acme is already booked as B-00001"):
        await use("book_invoice", invoice, tmp_path, key="other")
    assert (await use("book_invoice", {**invoice, "supplier": "B"}, tmp_path, key="third"))["new"]


async def test_a_quote_goes_to_the_outbox(tmp_path: Path) -> None:
    quote = {"to": "a@example.com", "text": "Dear", "total": "1.00"}
    assert (await use("send_quote", quote, tmp_path))["number"] == "Q-00001"
    assert entries(tmp_path, "quotes")[0]["to"] == "a@example.com"


# --- check_invoice --------------------------------------------------------------------------------------


def invoice(**changes: Any) -> dict[str, Any]:
    lines = [
        {"description": "chair", "quantity": "4", "unit_price": "289.00", "amount": "1156.00"},
        {"description": "headset", "quantity": "2", "unit_price": "79,00", "amount": "158,00"},
    ]
    return {"lines": lines, "subtotal": "1.314,00", "vat": "275.94", "total": "€ 1.589,94", **changes}


async def test_an_invoice_that_adds_up_holds(tmp_path: Path) -> None:
    checked = await use("check_invoice", invoice(), tmp_path)
    assert checked["holds"]
    assert checked["problems"] == []
    assert (checked["subtotal"], checked["vat"], checked["total"]) == ("1314.00", "275.94", "1589.94")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"total": "1589.95"}, "subtotal and VAT make 1589.94, the invoice says 1589.95"),
        ({"subtotal": "1315.00"}, "the lines add up to 1314.00, the subtotal says 1315.00"),
        ({"vat": "275.96", "total": "1589.96"}, "VAT over 1314.00 is"),
        ({"vat_percent": "9%"}, "118.26 (9 %), the invoice says 275.94"),
        ({"vat_percent": "19"}, "19 % is no VAT rate here"),
        ({"total": "soon"}, "there is no readable total"),
        ({"lines": [{"quantity": "2", "unit_price": "3", "amount": "7"}]}, "line 1: 2 x 3 is 6.00"),
        ({"lines": [{"description": "x"}]}, "not every line has a readable amount"),
    ],
)
async def test_an_invoice_that_does_not_add_up_says_where(
    tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    checked = await use("check_invoice", invoice(**changes), tmp_path)
    assert not checked["holds"]
    assert any(problem in found for found in checked["problems"])


@pytest.mark.parametrize(("percent", "vat"), [("21", "21.00"), ("9", "9.00"), ("6", "6.00"), ("0", "0.00")])
async def test_every_rate_in_use_is_known(tmp_path: Path, percent: str, vat: str) -> None:
    lines = [{"amount": "100.00"}]
    total = f"{100 + float(vat):.2f}"
    arguments = {"lines": lines, "vat_percent": percent, "vat": vat, "total": total}
    assert (await use("check_invoice", arguments, tmp_path))["holds"]


async def test_a_cent_of_rounding_per_extra_line_is_forgiven_and_no_more(tmp_path: Path) -> None:
    lines = [{"amount": "0.12"}, {"amount": "0.12"}]
    # 0.24 x 21 % = 0.0504; rounded per line it is 0.03 + 0.03.
    assert (await use("check_invoice", {"lines": lines, "vat": "0.06", "total": "0.30"}, tmp_path))["holds"]
    checked = await use("check_invoice", {"lines": lines[:1], "vat": "0.04", "total": "0.16"}, tmp_path)
    assert not checked["holds"]


# --- prices and quotes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "sku"),
    [
        ("docking stations", "DOCK-C"),
        ("dockingstations", "DOCK-C"),
        ("wireless keyboards", "KEY-WL"),
        ("draadloze toetsenborden", "KEY-WL"),
        ("bureaustoelen", "CHAIR-1"),
        ("office chair", "CHAIR-1"),
        ("27 inch monitors", "MON-27"),
        ("beeldschermen van 27 inch", "MON-27"),
        ("headsets", "HEAD-1"),
        ("netwerkkabels van 3 meter", "CAB-3M"),
        ("uren ondersteuning op locatie", "SUP-H"),
        ("laptops 16 inch", "LAP-16"),
    ],
)
async def test_lines_are_priced_in_both_languages(tmp_path: Path, wanted: str, sku: str) -> None:
    priced = await use("look_up_prices", {"lines": [{"description": wanted, "quantity": 2}]}, tmp_path)
    assert priced["lines"][0]["sku"] == sku
    assert priced["complete"]


@pytest.mark.parametrize("wanted", ["espresso machine", "laptop", "", "keyboard tray", "zzz"])
async def test_a_doubtful_line_gets_no_price(tmp_path: Path, wanted: str) -> None:
    priced = await use("look_up_prices", {"lines": [{"description": wanted}]}, tmp_path)
    assert priced["lines"][0]["unit_price"] is None
    assert priced["unknown"] == [wanted]
    assert not priced["complete"]


async def test_a_users_price_list_replaces_the_example(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    header = "sku,name_en,name_nl,aliases,unit,unit_price,vat_percent\n"
    (tmp_path / "configs" / "prices.csv").write_text(header + "ESP,Espresso machine,,,piece,99.00,21\n")
    priced = await use("look_up_prices", {"lines": [{"description": "espresso machines"}]}, tmp_path)
    assert priced["lines"][0]["unit_price"] == "99.00"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("sku,name_en\n", "prices.csv:1: the column 'name_nl' is missing"),
        (
            "sku,name_en,name_nl,aliases,unit,unit_price,vat_percent\nA,B\n",
            "prices.csv:2: this row has too few columns",
        ),
    ],
)
async def test_a_broken_price_list_is_named_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "prices.csv").write_text(text)
    with pytest.raises(ToolError, match=problem):
        await use("look_up_prices", {"lines": [{"description": "x"}]}, tmp_path)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ["Total: EUR 121.00", "Dear Tom,"]), ("nl", ["Totaal: EUR 121.00", "Beste Tom,"])],
)
async def test_a_quote_is_written_in_both_languages(tmp_path: Path, language: str, words: list[str]) -> None:
    line = {
        "description": "x",
        "item": "Chair",
        "sku": "C",
        "quantity": 1,
        "unit_price": "100.00",
        "amount": "100.00",
    }
    arguments = {
        "lines": [line],
        "subtotal": "100.00",
        "vat": "21.00",
        "total": "121.00",
        "customer": "Tom",
        "language": language,
    }
    text = (await use("write_quote", arguments, tmp_path))["text"]
    assert "- 1 x Chair (C): EUR 100.00 = EUR 100.00" in text
    assert all(part in text for part in words)


async def test_a_quote_with_an_unknown_price_names_no_total(tmp_path: Path) -> None:
    line = {"description": "espresso machine", "quantity": 1, "unit_price": None}
    arguments = {"lines": [line], "subtotal": None, "vat": None, "total": None}
    written = await use("write_quote", arguments, tmp_path)
    assert "price on request" in written["text"]
    assert "Total:" not in written["text"]
    assert written["total"] is None
