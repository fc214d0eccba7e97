"""`lilliput agents test`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.examples import difference
from tests.cli.conftest import Lilliput, write

GOOD = """\
- name: a short one
  input: {text: ab}
  expect: abab
"""


def test_examples_that_come_out_right_end_with_0(desk: Path, lilliput: Lilliput) -> None:
    loud = "- {name: loud, input: {text: hello}, expect: {loud: HELLO}}\n"
    write(desk, {"agents/double/examples.yaml": GOOD, "agents/shout/examples.yaml": loud})
    said = lilliput("agents", "test")
    assert said.code == 0
    assert "✓ double: a short one" in said.err
    assert "✓ shout: loud" in said.err
    assert [line.split() for line in said.out.splitlines()[2:]] == [["double", "1", "0"], ["shout", "1", "0"]]


def test_an_example_that_comes_out_wrong_ends_with_1_and_is_shown(desk: Path, lilliput: Lilliput) -> None:
    write(desk, {"agents/double/examples.yaml": GOOD.replace("abab", "ab ab")})
    said = lilliput("agents", "test", "double")
    assert said.code == 1
    assert "✗ double: a short one: the answer is 'abab', expected 'ab ab'" in said.out
    tried = lilliput("agents", "test", "double", "--json").json
    assert tried[0]["problem"]
    assert lilliput("runs", "show", tried[0]["run_id"]).code == 0


def test_a_run_that_fails_is_an_example_that_fails(desk: Path, lilliput: Lilliput) -> None:
    write(desk, {"agents/double/examples.yaml": GOOD})
    write(desk, {"agents/double/answer.py": "async def answer(inputs, call):\n    raise OSError('gone')\n"})
    assert "gone" in lilliput("agents", "test", "double").out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]\n", "examples.yaml"),
        ("- {name: x, input: {text: a}, expect: aa}\n- {name: y, expect: x}\n", "examples.yaml:2"),
        (None, "there are no examples to test"),
    ],
)
def test_a_broken_file_is_told_before_anything_runs(
    desk: Path, lilliput: Lilliput, text: str | None, message: str
) -> None:
    if text:
        write(desk, {"agents/double/examples.yaml": text})
    said = lilliput("agents", "test", "double")
    assert said.code == 2
    assert message in said.err


@pytest.mark.parametrize(
    ("expected", "answer", "problem"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, None),
        ({"a.b": 1}, {"a": {"b": 2}}, "a.b is 2, expected 1"),
        ({"a.1.b": 1}, {"a": [0, {"b": 1}]}, None),
        ({"a.2": 1}, {"a": [0]}, "a.2 is not there, expected 1"),
        ({"a": None}, {}, "a is not there, expected None"),
        ([1, 2], [1], "the answer is [1], expected [1, 2]"),
        (None, None, None),
    ],
)
def test_only_what_is_expected_counts(expected: Any, answer: Any, problem: str | None) -> None:
    assert difference(expected, answer) == problem
