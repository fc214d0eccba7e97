"""Words, and whether a value stands in a text."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.kit.grounding import dates_in, number_occurs, numbers_in, occurs, values_in
from orchestrator.kit.words import all_words, coverage, split_name, word_set


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("getFishCatch", "get Fish Catch"),
        ("get_fish_catch", "get fish catch"),
        ("fish.get-catch", "fish get catch"),
        ("maps/route", "maps route"),
    ],
)
def test_a_name_falls_apart_into_words(name: str, words: str) -> None:
    assert split_name(name) == words


def test_words_are_stemmed_and_function_words_dropped_in_both_languages() -> None:
    assert word_set("Calculate the calculations") == word_set("calculation")
    assert all_words("ik kan de printer niet vinden") == ["print", "vinden"]


def test_coverage_of_nothing_is_zero() -> None:
    assert coverage(frozenset(), frozenset({"a"})) == 0.0
    assert coverage(frozenset({"a", "b"}), frozenset({"a"})) == 0.5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("New  york", "a flat in New York"),
        ("ABC Corp.", "invoice of ABC Corp"),
        ("2026-05-03", "am 3 mei 2026 komt hij"),
        ("2026-05-03", "on May 3rd, 2026"),
        ("03/05/2026", "the date is 2026-05-03"),
        ("05-03-2026", "the date is 2026-05-03"),
        (1250, "it costs 1,250.00"),
        (1250.5, "het kost 1.250,50 euro"),
        (0.05, "a rate of 5%"),
        (12, "twelve chairs"),
        (3, "drie stoelen"),
        (-50, "a loss of 50"),
        (1200000, "1.2 million people"),
        ("1.250,00", "total 1.250,00"),
        (["a", "b"], "a and b"),
        ({"x": "a"}, "a"),
        (None, ""),
        (True, ""),
        ("", ""),
    ],
)
def test_a_value_occurs_in_an_equivalent_notation(value: object, text: str) -> None:
    assert occurs(value, text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Amsterdam", "a flat in New York"),
        ("2026-05-04", "on May 3rd, 2026"),
        (1251, "it costs 1,250.00"),
        (13, "twelve chairs"),
        (["a", "z"], "a and b"),
    ],
)
def test_another_value_does_not_occur(value: object, text: str) -> None:
    assert not occurs(value, text)


def test_a_date_without_a_year_or_that_does_not_exist_is_no_date() -> None:
    assert dates_in("on 3 May, or on 2026-02-30") == frozenset()


@given(st.dates(min_value=dt.date(1900, 1, 1), max_value=dt.date(2099, 12, 31)))
def test_every_date_is_found_in_three_notations(day: dt.date) -> None:
    for text in (day.isoformat(), f"{day.day}-{day.month}-{day.year}", day.strftime("%B %d, %Y")):
        assert day in dates_in(text)


@given(st.decimals(min_value=0, max_value=10**9, places=2, allow_nan=False))
def test_every_amount_is_found_in_dutch_and_english_notation(amount: Decimal) -> None:
    english = f"{amount:,.2f}"
    dutch = english.translate(str.maketrans(",.", ".,"))
    assert number_occurs(amount, f"total {english} due")
    assert number_occurs(amount, f"totaal € {dutch}")


@given(st.text(max_size=200))
def test_numbers_and_dates_never_fail(text: str) -> None:
    numbers_in(text)
    dates_in(text)
    occurs(text, text)


def test_values_are_found_at_every_depth() -> None:
    assert list(values_in({"a": [1, {"b": "x"}], "c": None})) == [1, "x", None]
