"""Receipts: what arms see of one, which notations are the same value, and the rules that are the floor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bench.cases import Case
from orchestrator.errors import ContentError
from orchestrator.kit.examples import read_examples
from tests.agents.crew import ask
from tests.agents.crew import says as model_says
from tests.bench.families.helpers import ask_content, check_splits, code, failed, grade, module, real_files
from tests.core.world import write

LINES = [
    *("KEDAI BUKU SDN BHD", "12, JALAN MERAH", "81100 JOHOR", "TEL: 07-1234567", "GST NO 123"),
    *("RECEIPT", "CASHIER: X", "NO 7", "25/12/2018 8:13 PM"),
    *("PEN BLUE", "2 X", "PAPER A4", "SUB TOTAL 13.50", "TOTAL RM", "12.00", "CASH", "20.00"),
]
KEY = {
    "company": "KEDAI BUKU SDN BHD",
    "date": "25/12/2018",
    "address": "12, JALAN MERAH, 81100 JOHOR",
    "total": "12.00",
}
RIGHT = {"company": "Kedai Buku Sdn. Bhd.", "date": "2018-12-25", "address": "12 JALAN MERAH 81100 JOHOR"}


@pytest.fixture
def receipts(tmp_path: Path) -> dict[str, Path]:
    rows = [{"id": f"{n:03}", "lines": [*LINES[:7], f"NO {n}", *LINES[8:]], "key": KEY} for n in range(10)]
    rows[4] = {**rows[4], "lines": rows[2]["lines"]}
    rows[5] = {**rows[5], "key": {name: KEY[name] for name in ("company", "date", "total")}}
    write(tmp_path, "receipts.jsonl", "\n".join(json.dumps(row) for row in rows))
    return {"receipts.jsonl": tmp_path / "receipts.jsonl"}


def cases(files: dict[str, Path]) -> list[Case]:
    return code("sroie").read_cases(files, "test")


def test_a_receipt_is_shown_without_its_goods(receipts: dict[str, Path]) -> None:
    case = cases(receipts)[0]
    shown = case.inputs["text"].splitlines()
    assert case.id == "test_002"
    assert shown == [*LINES[:7], "NO 2", LINES[8], *LINES[12:]]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 1.0),
        ({"total": "RM 12.0"}, 1.0),
        ({"total": "12"}, 1.0),
        ({"total": "20.00"}, 0.75),
        ({"total": None}, 0.75),
        ({"total": "none", "date": "someday"}, 0.5),
        ({"date": "25 Dec 2018"}, 1.0),
        ({"date": "25DEC2018"}, 1.0),
        ({"date": "24/12/2018"}, 0.75),
        ({"address": "12, JALAN MERAH"}, 0.75),
        ({"company": "KEDAI"}, 0.75),
    ],
)
def test_a_grade_is_the_share_of_the_fields(
    receipts: dict[str, Path], change: dict[str, Any], expected: float
) -> None:
    assert grade("sroie", receipts, cases(receipts)[0], {**RIGHT, "total": "12.00", **change}) == expected


def test_no_answer_and_a_field_that_is_not_there(receipts: dict[str, Path]) -> None:
    first, second, _ = cases(receipts)
    assert grade("sroie", receipts, first, None) == 0.0
    assert failed("sroie", receipts, first) == 0.0
    assert second.gold["address"] is None
    assert grade("sroie", receipts, second, {**RIGHT, "total": "12.00", "address": None}) == 1.0
    assert grade("sroie", receipts, second, {**RIGHT, "total": "12.00"}) == 0.75


def test_figures_by_hand(receipts: dict[str, Path]) -> None:
    first, second, _ = cases(receipts)
    pairs = [(first, {**RIGHT, "total": "1.00"}), (second, None)]
    # Seven fields to find, four were said, three of them are right.
    assert code("sroie").metrics(pairs) == {
        "field_f1": pytest.approx(6 / 11),
        "all_fields": 0.0,
        "company": 0.5,
        "date": 0.5,
        "address": 0.5,
        "total": 0.0,
    }


def test_what_to_learn_from_is_in_no_split(receipts: dict[str, Path], tmp_path: Path) -> None:
    code("sroie").materials(receipts, tmp_path)
    learned = read_examples(tmp_path)
    # The fifth is the third, scanned twice.
    assert [example.text.splitlines()[7] for example in learned] == ["NO 0", "NO 1", "NO 3", "NO 6", "NO 7"]
    assert json.loads(learned[0].label or "") == KEY


def test_a_malformed_receipt_is_named_with_its_line(receipts: dict[str, Path]) -> None:
    lines = receipts["receipts.jsonl"].read_text().splitlines()
    lines[2] = '{"id": "002", "lines": "one"}'
    receipts["receipts.jsonl"].write_text("\n".join(lines))
    with pytest.raises(ContentError, match=r"receipts\.jsonl:3: a receipt has"):
        cases(receipts)


async def test_the_floor_follows_its_rules() -> None:
    text = "\n".join(LINES)
    answer = await ask_content(("sroie",), "receipt-rules", {"text": text})
    assert answer.output == {
        "company": "KEDAI BUKU SDN BHD",
        "date": "25/12/2018",
        "address": "12, JALAN MERAH 81100 JOHOR",
        "total": "12.00",
    }
    empty = await ask_content(("sroie",), "receipt-rules", {"text": ""})
    assert set(empty.output.values()) == {None}


def test_the_floor_without_a_total_takes_the_largest_amount() -> None:
    rules = module("benchmarks/sroie/agents/receipt-rules/answer.py")
    assert rules._total(["A 1.50", "B 1,030.00", "SUB TOTAL 2.00"]) == "1,030.00"
    assert rules._address(["SHOP", "81100 JOHOR", "12, JALAN MERAH"]) is None


async def test_fields_can_be_copied_with_an_example_in_sight() -> None:
    model = model_says({"total": "12.00"})
    schema = {"type": "object", "properties": {"total": {"type": "string"}}, "required": ["total"]}
    inputs: dict[str, Any] = {"text": "TOTAL 12.00", "schema": schema}
    await ask("extract-fields", inputs, model)
    examples = [{"text": "TOTAL 3.00", "label": '{"total": "3.00"}'}]
    asked = await ask("extract-fields", {**inputs, "examples": examples}, model)
    assert not asked.refused
    plain, shown = (request.messages[-1].content for request in model.requests)
    head, _, tail = plain.partition("\n\nText:")
    assert shown == f'{head}\n\nText:\nTOTAL 3.00\n{{"total": "3.00"}}\n\nText:{tail}'


@pytest.mark.parametrize(
    ("address", "copied"),
    [
        ("12, Jalan Merah, 81100 Johor", True),
        ("12, Jalan Merah, Johor 81100", False),
        ("13, Jalan Merah, 81100 Johor", False),
        ("n,s,81", False),
    ],
)
async def test_an_address_over_lines_may_be_joined_with_commas(address: str, copied: bool) -> None:
    schema = {"type": "object", "properties": {"address": {"type": "string"}}, "required": ["address"]}
    inputs = {"text": "Towns\n12, JALAN MERAH\n81100 JOHOR", "schema": schema}
    asked = await ask("extract-fields", inputs, model_says({"address": address}))
    assert (not asked.refused) is copied


def test_the_real_receipts() -> None:
    files = real_files("sroie")
    splits = check_splits("sroie", files, {"test": 125, "dev": 41})
    shown = [len(case.inputs["text"]) for case in splits["dev"]]
    assert sum(shown) / len(shown) < 450
    perfect = code("sroie").metrics([(case, case.gold) for case in splits["dev"]])
    assert perfect["field_f1"] == perfect["all_fields"] == 1.0
