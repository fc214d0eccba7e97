"""`lilliput doctor`: every setting with its origin, every problem with its place, what to type about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import NOTES, Lilliput, write


@pytest.mark.usefixtures("desk")
def test_a_healthy_workspace_ends_with_0(lilliput: Lilliput) -> None:
    said = lilliput("doctor")
    assert said.code == 0
    assert "2 agents, 1 workflow, 2 models" in said.out
    assert "No problem was found" in said.out


def test_every_setting_is_told_with_where_it_came_from(
    desk: Path, lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LILLIPUT_ROUTE", "smallest-capable")
    settings = {row["name"]: row for row in lilliput("doctor", "--json").json["settings"]}
    assert settings["threads"]["from"] == str(desk / "configs" / "lilliput.yaml")
    assert settings["route"]["from"] == "LILLIPUT_ROUTE"
    assert settings["device"]["from"] == "default"


@pytest.mark.parametrize(
    ("file", "text", "where"),
    [
        ("models/bad.yaml", "name: bad\nruntime: magic\n", "models/bad.yaml:"),
        ("agents/shout/checks.py", "def check_x(:\n", "agents/shout/checks.py:1"),
        ("agents/desk/tools.py", "x = 1\n", "agents/desk/tools.py:1"),
        ("configs/workflows/notes.yaml", NOTES.replace("agent: shout", "agent: shoot"), "notes.yaml:9"),
    ],
)
def test_every_kind_of_problem_is_found_with_file_and_line(
    desk: Path, lilliput: Lilliput, file: str, text: str, where: str
) -> None:
    write(desk, {file: text})
    said = lilliput("doctor")
    assert said.code == 1
    assert where in said.out
    assert "No problem was found" not in said.out
    assert lilliput("doctor", "--json").json["problems"][0]["line"]


def test_what_killed_pulls_left_is_removed_and_told(desk: Path, lilliput: Lilliput) -> None:
    cache = Path(lilliput("doctor", "--json").json["settings"][0]["value"])
    stray = cache / "staging" / "stray"
    write(stray, {"part": "x" * 1000})
    said = lilliput("doctor", "--json")
    assert said.json["leftover_bytes_removed"] >= 1000
    assert not stray.exists()


@pytest.mark.usefixtures("desk")
def test_a_setting_that_cannot_be_used_names_its_origin(
    lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LILLIPUT_THREADS", "many")
    said = lilliput("doctor")
    assert said.code == 2
    assert "'threads' from LILLIPUT_THREADS" in said.err


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("name", ["machine", "controller_model", "reference_model", "route"])
def test_a_setting_that_names_what_is_not_there_is_a_problem(
    lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"LILLIPUT_{name.upper()}", "mylaptop")
    said = lilliput("doctor")
    assert said.code == 1
    assert f"Setting '{name}' from LILLIPUT_{name.upper()}: Unknown" in said.out
    assert "No problem was found" not in said.out


def test_a_setting_that_names_a_broken_model_is_no_end_of_it(
    desk: Path, lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(desk, {"models/bad.yaml": "name: bad\nruntime: magic\n"})
    monkeypatch.setenv("LILLIPUT_REFERENCE_MODEL", "bad")
    said = lilliput("doctor")
    assert said.code == 1
    assert said.out.count("bad.yaml:") == 2
