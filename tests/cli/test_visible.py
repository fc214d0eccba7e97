"""Text of strangers on a terminal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.visible import as_text, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("één\nregel\tmeer", "één\nregel\tmeer"),
        ("\x1b[2Jgone", "\\u001b[2Jgone"),
        ("a\rb", "a\\u000db"),
        ("\x9b31m", "\\u009b31m"),
        ("pay \u202e00001", "pay \\u202e00001"),
        ("👩\u200d💻", "👩\u200d💻"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    kept = visible(text).replace("\n", "").replace("\t", "")
    assert all(ord(char) >= 32 and not 127 <= ord(char) < 160 for char in kept)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (3, "3"),
        (None, "null"),
        ({"a": 1, "b": "x"}, "a: 1\nb: x"),
        ({"a": {"b": [1, "two"]}}, "a:\n  b:\n    - 1\n    - two"),
        ({"mail": "one\ntwo"}, "mail:\n  one\n  two"),
        ({"empty": {}, "none": []}, "empty: {}\nnone: []"),
    ],
)
def test_a_value_reads_as_text(value: Any, text: str) -> None:
    assert as_text(value) == text
