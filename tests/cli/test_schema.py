"""Words on the command line into the input of a task."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.cli.schema import build_input, inputs_of, type_of
from orchestrator.errors import InvalidInput

FIELDS: dict[str, Any] = {
    "properties": {
        "message": {"type": "string", "description": "what they wrote"},
        "lines": {"type": "array", "items": {"type": "number"}},
        "kind": {"enum": ["a", "b"]},
        "note": {"type": ["string", "null"]},
    },
    "required": ["message"],
}


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("hi", [], {"message": "hi"}),
        (None, ["message=1"], {"message": "1"}),
        (None, ["lines=[1, 2]"], {"lines": [1, 2]}),
        (None, ["kind=a"], {"kind": "a"}),
        (None, ["note=null"], {"note": "null"}),
        (None, ["other=plain"], {"other": "plain"}),
        (None, ["other=3"], {"other": 3}),
    ],
)
def test_words_become_what_the_schema_wants(text: str | None, words: list[str], expected: Any) -> None:
    assert build_input(FIELDS, text, words, {}) == expected


def test_a_word_wins_over_the_file() -> None:
    assert build_input(FIELDS, None, ["message=new"], {"message": "old"}) == {"message": "new"}


def test_text_goes_to_the_only_field_it_fits() -> None:
    two = {"properties": {"from": {"type": "string"}, "to": {"type": "string"}}, "required": ["from", "to"]}
    assert build_input(two, "x", ["from=a"], {}) == {"from": "a", "to": "x"}
    with pytest.raises(InvalidInput, match="from, to"):
        build_input(two, "x", [], {})


def test_without_a_schema_text_is_called_text() -> None:
    assert build_input({}, "x", [], {}) == {"text": "x"}


def test_a_field_is_described_on_one_line() -> None:
    assert inputs_of(FIELDS).splitlines() == [
        "message (string)  what they wrote",
        "lines (list of number, optional)",
        "kind (one of a|b, optional)",
        "note (string or null, optional)",
    ]
    assert type_of({"anyOf": [{"type": "string"}, {"type": "null"}]}) == "string or null"
    assert inputs_of({}) == "none"
