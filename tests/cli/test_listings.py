"""What there is: agents, tools, workflows, models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lilliput


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("agents", ["double", "shout"]),
        ("tools", ["keep_note"]),
        ("workflows", ["notes"]),
        ("models", ["small", "large"]),
    ],
)
def test_a_listing_names_everything_for_people_and_for_machines(
    lilliput: Lilliput, group: str, names: list[str]
) -> None:
    text, data = lilliput(group, "list"), lilliput(group, "list", "--json")
    assert text.code == data.code == 0
    assert [item["name"] for item in data.json] == names
    assert all(name in text.out for name in names)


@pytest.mark.usefixtures("desk")
def test_a_listing_down_a_pipe_is_not_folded_and_not_padded(lilliput: Lilliput) -> None:
    lines = lilliput("workflows", "list").out.splitlines()
    assert lines[2].split() == ["notes", "4", "Shout", "a", "text", "and", "write", "it", "down."]
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.usefixtures("desk")
def test_an_agent_is_shown_with_its_inputs_and_prompt(lilliput: Lilliput) -> None:
    said = lilliput("agents", "show", "shout")
    assert "text (string)  what to say" in said.out
    assert "times (integer, optional)" in said.out
    assert "Shout: {{ text }}" in said.out
    assert "checks.py" in said.out
    assert lilliput("agents", "show", "shout", "--json").json["needs"] == ["generate", "json-schema"]


@pytest.mark.usefixtures("desk")
def test_a_workflow_is_shown_with_its_order_and_a_command_to_copy(lilliput: Lilliput) -> None:
    said = lilliput("workflows", "show", "notes")
    assert "note   keep_note  after loud" in said.out
    assert "lilliput run --workflow notes --example 1" in said.out
    assert lilliput("workflows", "show", "notes", "--json").json["steps"][0]["with"] == {
        "text": "${task.text}"
    }


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("group", ["agents", "workflows", "models"])
def test_an_unknown_name_is_answered_with_the_nearest_one(lilliput: Lilliput, group: str) -> None:
    typo = {"agents": "shuot", "workflows": "note", "models": "larg"}[group]
    said = lilliput(group, "show", typo)
    assert said.code == 2
    assert "Did you mean" in said.err
    assert said.out == ""


def test_a_workspace_can_be_named_by_option_or_variable(
    desk: Path, lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.parent)
    assert lilliput("agents", "list", "--json").json == []
    assert len(lilliput("agents", "list", "--json", "--workspace", str(desk)).json) == 2
    monkeypatch.setenv("LILLIPUT_WORKSPACE", str(desk))
    assert len(lilliput("agents", "list", "--json").json) == 2


@pytest.mark.usefixtures("desk")
def test_a_workspace_that_is_not_there_is_an_error_of_the_user(lilliput: Lilliput) -> None:
    said = lilliput("agents", "list", "--workspace", "nowhere")
    assert said.code == 2
    assert "'nowhere' is not a folder" in said.err


def test_a_broken_file_stops_a_run_with_file_and_line_but_not_a_listing(
    desk: Path, lilliput: Lilliput
) -> None:
    card = desk / "models" / "small.yaml"
    card.write_text(card.read_text().replace("runtime: scripted", "runtime: magic"))
    assert lilliput("models", "list").code == 0
    said = lilliput("run", "hello", "--workflow", "notes")
    assert said.code == 2
    assert f"{card}:5" in said.err


def test_twins_of_specialists_are_listed_only_when_asked_for(desk: Path, lilliput: Lilliput) -> None:
    said = {"agent": "label", "base": "small", "recipe": "head", "recipe_hash": "1", "data_hash": "2"}
    trained = f"specialism: {json.dumps({**said, 'trained_at': '2026'})}"
    small = (desk / "models" / "small.yaml").read_text()
    for name, role in (("own-1", "candidate"), ("own-1-f32", "twin")):
        card = small.replace("name: small", f"name: {name}").replace("role: crew", f"role: {role}")
        (desk / "models" / f"{name}.yaml").write_text(f"{card.rstrip()}\n{trained}\n")
    listed = lilliput("models", "list").out
    assert "own-1 " in listed
    assert "own-1-f32" not in listed
    assert "own-1-f32" in lilliput("models", "list", "--all").out
