"""Exact arithmetic, refused quickly where it would not end."""

from __future__ import annotations

import contextlib
import time
from fractions import Fraction
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import InvalidInput
from orchestrator.tools import load_module
from tests.agents.crew import ask, workspace

RULES: ModuleType = load_module(workspace().agents["calculate"].folder / "answer.py")


@pytest.mark.parametrize(
    ("expression", "result", "exact"),
    [
        ("0.1 + 0.2", "0.3", True),
        ("(2 * 3.50 + 4) * 1.21", "13.31", True),
        ("100 * 21%", "21", True),
        ("200 - 12.5%", "199.875", True),
        ("17 % 5", "2", True),
        ("-7 // 2", "-4", True),
        ("2 ** 100", str(2**100), True),
        ("2 ** -2", "0.25", True),
        ("1/3", "0.3333333333333333333333333333", False),
        ("3 × 4 ÷ 2 − 1", "5", True),
        ("round(2.345, 2)", "2.35", True),
        ("max(1, 2.5, abs(-3))", "3", True),
        ("1_000 + .5", "1000.5", True),
    ],
)
async def test_expressions_are_exact(expression: str, result: str, exact: bool) -> None:
    assert (await ask("calculate", {"expression": expression})).output == {"result": result, "exact": exact}


@pytest.mark.parametrize(
    "expression",
    [
        "9**9**9",
        "9**9**9**9",
        "-(" * 60 + "1" + ")" * 60,
        "+".join(["1"] * 2000),
        "-" * 900 + "1",
        "2 ** 0.5",
        "1 / 0",
        "0 ** -1",
        "1e400",
        "1j",
        "True + 1",
        "'a' * 3",
        "x + 1",
        "__import__('os')",
        "round(1, 99999)",
        "round(1.5, ndigits=1)",
        "(1).real",
        "[1, 2]",
        "3,50 + 1",
        "2 ^ 3",
        "1 if 2 else 3",
        "lambda: 1",
        "1 < 2",
        "",
        "\x00",
    ],
)
async def test_what_is_no_arithmetic_or_too_large_is_refused_quickly(expression: str) -> None:
    start = time.perf_counter()
    with pytest.raises(InvalidInput):
        await ask("calculate", {"expression": expression})
    assert time.perf_counter() - start < 2.0


async def test_a_refusal_says_what_to_type() -> None:
    with pytest.raises(InvalidInput, match=r"decimal point, not a comma"):
        await ask("calculate", {"expression": "3,50 + 1"})


async def test_both_ways_at_once_are_refused() -> None:
    with pytest.raises(InvalidInput):
        await ask("calculate", {"expression": "1", "lines": []})


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.sampled_from("+-*"))
def test_integers_agree_with_python(left: int, right: int, sign: str) -> None:
    wanted = {"+": left + right, "-": left - right, "*": left * right}[sign]
    assert RULES.evaluate(f"({left}) {sign} ({right})") == wanted


@given(st.fractions(min_value=-(10**6), max_value=10**6), st.integers(0, 6))
def test_rounding_is_never_off_by_more_than_half(value: Fraction, places: int) -> None:
    rounded = RULES.rounded(value, places)
    assert abs(Fraction(rounded) - value) <= Fraction(1, 2 * 10**places)


@given(st.text("0123456789.+-*/() %", max_size=40))
def test_any_text_ends_in_a_number_or_a_refusal(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert isinstance(RULES.evaluate(text), Fraction)


@pytest.mark.parametrize(("amount", "cents"), [("0.125", "0.13"), ("-0.125", "-0.13"), ("2.675", "2.68")])
async def test_money_is_rounded_half_up_away_from_zero(amount: str, cents: str) -> None:
    output = (await ask("calculate", {"expression": amount, "decimals": 2})).output
    assert output == {"result": cents, "exact": False}


LINES: list[dict[str, Any]] = [
    {"description": "chair", "quantity": 3, "unit_price": "19.99", "vat_percent": 21},
    {"description": "book", "quantity": 2, "unit_price": 18, "vat_percent": "9"},
]


async def test_lines_are_added_up_with_vat_per_rate() -> None:
    output = (await ask("calculate", {"lines": LINES})).output
    assert [line["amount"] for line in output["lines"]] == ["59.97", "36.00"]
    # 59.97 x 21 % = 12.5937 -> 12.59; 36.00 x 9 % = 3.24
    assert (output["subtotal"], output["vat"], output["total"]) == ("95.97", "15.83", "111.80")
    assert output["result"] == "111.80"
    assert output["missing"] == []


async def test_a_line_without_a_price_leaves_the_total_open() -> None:
    lines = [*LINES, {"description": "espresso", "quantity": 1, "unit_price": None}]
    output = (await ask("calculate", {"lines": lines})).output
    assert output["missing"] == ["espresso"]
    assert output["result"] is None
    assert output["lines"][2]["amount"] is None


async def test_a_default_rate_counts_for_lines_without_one() -> None:
    lines = [{"quantity": "1", "unit_price": "100"}]
    assert (await ask("calculate", {"lines": lines, "vat_percent": 6})).output["total"] == "106.00"


async def test_an_amount_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'abc' is no amount"):
        await ask("calculate", {"lines": [{"quantity": 1, "unit_price": "abc"}]})
