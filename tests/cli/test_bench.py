"""`lilliput bench`: list, run and rule, as a person sees it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.bench.test_running import SCORE, SPEC
from tests.cli.conftest import Lilliput, write, write_card


@pytest.fixture
def words(desk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A benchmark of eight cases in the user's workspace, with its data in a folder of the user's."""
    rows = json.dumps([{"text": f"say {n}", "gold": "HELLO"} for n in range(8)])
    sha256 = hashlib.sha256(rows.encode()).hexdigest()
    file = {"name": "rows.json", "parts": ["file:rows.json"], "sha256": sha256, "size_bytes": len(rows)}
    card = {"name": "words", "description": "", "licence": "none", "origin": "tests", "files": [file]}
    arms = [
        {"name": "crew", "agent": "shout", "route": "fixed:small"},
        {"name": "reference", "agent": "shout", "route": "fixed:large"},
    ]
    write(
        desk,
        {
            "data/rows.json": rows,
            "benchmarks/words/dataset.yaml": json.dumps(card),
            "benchmarks/words/benchmark.yaml": json.dumps(SPEC | {"arms": arms}),
            "benchmarks/words/score.py": SCORE.replace('answer["text"]', 'answer["loud"]'),
        },
    )
    write_card(desk, "small", 1, reply='{"loud": "HELLO"}')
    monkeypatch.setenv("LILLIPUT_DATA_DIR", str(desk / "data"))
    return desk


@pytest.mark.usefixtures("words")
def test_a_run_ends_with_figures_and_a_ruling(lilliput: Lilliput) -> None:
    said = lilliput("bench", "run", "words")
    assert said.code == 0
    assert "[16/16]" in said.err
    assert "Record: " in said.err
    assert "100.0 %" in said.out
    assert "test: " in said.out
    assert "crew 100.0 %, reference 100.0 %, n = 8" in said.out
    again = lilliput("bench", "run", "words")
    assert "[" not in again.err.replace("Record:", "")
    assert again.out == said.out


@pytest.mark.usefixtures("words")
def test_a_verdict_runs_nothing_and_says_what_is_missing(lilliput: Lilliput) -> None:
    assert "16 of 16 outcomes are still missing" in lilliput("bench", "verdict", "words").out
    lilliput("bench", "run", "words", "-n", "2", "--arm", "crew")
    assert "2 of 4 outcomes are still missing" in lilliput("bench", "verdict", "words", "-n", "2").out
    assert lilliput("bench", "verdict", "words", "--json").json["scored"] == 2


@pytest.mark.usefixtures("words")
def test_they_are_listed(lilliput: Lilliput) -> None:
    assert "words" in lilliput("bench", "list").out
    assert [spec["name"] for spec in lilliput("bench", "list", "--json").json] == ["words"]


def test_data_that_are_not_here_are_said_how_to_get(words: Path, lilliput: Lilliput) -> None:
    (words / "data" / "rows.json").unlink()
    said = lilliput("bench", "run", "words")
    assert said.code == 2
    assert "Data set 'words' is missing" in said.err
    assert "LILLIPUT_DATA_DIR" in said.err


@pytest.mark.usefixtures("words")
def test_a_remark_goes_into_the_record(lilliput: Lilliput) -> None:
    said = lilliput("bench", "run", "words", "--remark", "a build ran beside it", "--json")
    assert said.json["remark"] == "a build ran beside it"
    assert (
        "a build ran beside it" in lilliput("bench", "run", "words", "--remark", "a build ran beside it").out
    )
