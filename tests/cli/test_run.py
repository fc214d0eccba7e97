"""`lilliput run`, from the words on the command line to the exit code."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Lilliput, write_card

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.usefixtures("desk")
def test_the_answer_goes_to_stdout_and_the_story_to_stderr(lilliput: Lilliput) -> None:
    said = lilliput("run", "hello", "--workflow", "notes", "--yes")
    assert said.code == 0
    assert said.json == {"note": "N-1", "text": "hellohellohellohello"}
    assert "plan: 4 subtasks (workflow notes): twice > loud + again > note" in said.err
    assert "loud: asks small (smallest of 2 capable)" in said.err
    assert "loud: small failed, asked again: loud: 'too quiet' is not in capitals" in said.err
    assert "loud: small failed, next model: loud: 'too quiet' is not in capitals" in said.err
    assert "loud: completed by large" in said.err
    assert "modelled" in said.err


def test_a_write_waits_without_a_person_and_nothing_is_written(desk: Path, lilliput: Lilliput) -> None:
    said = lilliput("run", "hello", "--workflow", "notes")
    assert said.code == 3
    assert said.json["note"] is None
    assert "--yes approves" in said.err
    assert "│ keep_note" in said.err
    assert not list(desk.parent.rglob("note.txt"))


@pytest.mark.usefixtures("desk")
def test_one_agent_is_asked_with_words_or_with_text(lilliput: Lilliput) -> None:
    assert lilliput("run", "ab", "--agent", "double").out == "abab\n"
    assert lilliput("run", "--agent", "double", "--input", "text=a=b").out == "a=ba=b\n"


@pytest.mark.usefixtures("desk")
def test_text_comes_from_stdin_on_request(lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe"))
    assert lilliput("run", "-", "--agent", "double").out == "from a pipefrom a pipe\n"


def test_inputs_come_from_a_json_or_yaml_file(desk: Path, lilliput: Lilliput) -> None:
    (desk / "in.json").write_text(json.dumps({"text": "x"}))
    (desk / "in.yaml").write_text("text: y\n")
    assert lilliput("run", "--agent", "double", "--input-file", "in.json").out == "xx\n"
    assert lilliput("run", "--agent", "double", "--input-file", "in.yaml").out == "yy\n"
    assert lilliput("run", "--agent", "double", "--input-file", "none.json").code == 2


@pytest.mark.usefixtures("desk")
def test_a_workflow_brings_its_own_examples(lilliput: Lilliput) -> None:
    said = lilliput("run", "--workflow", "notes", "--example", "1", "--yes")
    assert said.json["text"] == "hello" * 4
    assert "has 1 examples, no number 2" in lilliput("run", "--workflow", "notes", "--example", "2").err
    assert lilliput("run", "--agent", "double", "--example", "1").code == 2


@pytest.mark.usefixtures("desk")
def test_a_document_holds_the_result_the_plan_and_the_steps(lilliput: Lilliput) -> None:
    said = lilliput("run", "hello", "--workflow", "notes", "--yes", "--json")
    assert said.err == ""
    assert said.json["status"] == "completed"
    assert [step["id"] for step in said.json["plan"]["subtasks"]] == ["twice", "loud", "again", "note"]
    loud = [step for step in said.json["steps"] if step["subtask"] == "loud"]
    assert [step["decision"]["action"] for step in loud] == ["retry", "escalate", "accept"]
    assert loud[0]["route"]["ladder"] == ["small", "large"]


@pytest.mark.usefixtures("desk")
def test_events_are_one_json_object_a_line(lilliput: Lilliput) -> None:
    lines = lilliput("run", "ab", "--agent", "double", "--events").out.splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds == ["run_started", "planned", "routed", "step_done", "run_done"]


@pytest.mark.usefixtures("desk")
def test_a_model_can_be_named(lilliput: Lilliput) -> None:
    named = lilliput("run", "x", "--agent", "shout", "--model", "large", "--json").json
    assert [step["model"] for step in named["steps"]] == ["large"]
    assert named["steps"][0]["route"]["policy"] == "fixed:large"


@pytest.mark.usefixtures("desk")
def test_a_failed_run_says_why_and_ends_with_1(lilliput: Lilliput) -> None:
    said = lilliput("run", "x", "--agent", "shout", "--model", "small")
    assert said.code == 1
    assert "'too quiet' is not in capitals" in said.err


@pytest.mark.usefixtures("desk")
def test_a_budget_ends_a_run(lilliput: Lilliput) -> None:
    said = lilliput("run", "x", "--agent", "shout", "--budget-tokens", "1")
    assert said.code == 1
    assert "The budget of 1 tokens is used up" in said.err


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x", "--workflow", "nots"], "Unknown workflow 'nots'. Did you mean 'notes'?"),
        (["x", "--agent", "shot"], "Unknown agent 'shot'. Did you mean 'shout'?"),
        (["x", "--agent", "double", "--workflow", "notes"], "a workflow or an agent, not both"),
        (["x", "--agent", "shout", "--route", "cascad"], "Unknown routing policy 'cascad'"),
        (["x", "--agent", "shout", "--model", "lrge"], "Unknown model 'lrge'. Did you mean 'large'?"),
        (
            ["x", "--agent", "shout", "--model", "large", "--route", "cascade"],
            "means --route fixed:M",
        ),
        (["--agent", "shout"], "'text' is a required property"),
        (["--agent", "shout", "-i", "text"], "--input 'text' has no '='"),
        (["x", "--agent", "shout", "-i", "times=many"], "--input times='many' is not integer"),
        ([], "There is nothing to do"),
    ],
)
def test_a_mistake_is_one_clear_message_and_exit_code_2(
    lilliput: Lilliput, arguments: list[str], message: str
) -> None:
    said = lilliput("run", *arguments)
    assert said.code == 2
    assert message in " ".join(said.err.split())
    assert said.out == ""


def test_what_a_model_wrote_cannot_command_the_terminal(desk: Path, lilliput: Lilliput) -> None:
    write_card(desk, "small", 1, reply='{"loud": "\\u001b[2Jgone"}')
    said = lilliput("run", "x", "--agent", "shout", "--model", "small")
    assert "\x1b" not in said.out + said.err


def test_a_plan_by_a_model_that_is_not_installed_names_the_command(desk: Path, lilliput: Lilliput) -> None:
    said = lilliput("run", "do something")
    assert said.code in (1, 2)
    assert "Traceback" not in said.err
    assert said.err.strip()


@pytest.mark.usefixtures("desk")
def test_an_empty_text_is_refused_before_anything_runs(lilliput: Lilliput) -> None:
    for words in (["", "--workflow", "notes"], ["  \n"]):
        said = lilliput("run", *words)
        assert said.code == 2
        assert "the text is empty" in said.err


def test_a_plan_that_a_model_wrote_is_shown_with_its_answer(
    desk: Path, lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(REPOSITORY / "agents" / "plan", desk / "agents" / "plan")
    monkeypatch.setenv("LILLIPUT_CONTROLLER_MODEL", "small")
    plan = {"subtasks": [{"id": "a", "agent": "double", "with": {"text": "ho"}}], "answer": "${a}"}
    write_card(desk, "small", 1, reply=json.dumps(plan))
    said = lilliput("run", "laugh")
    assert said.out == "hoho\n"
    assert "A model planned: a = double(text='ho')" in said.err


def test_an_answer_taken_in_doubt_is_called_that(desk: Path, lilliput: Lilliput) -> None:
    double = desk / "agents" / "double"
    (double / "agent.md").write_text(
        (double / "agent.md").read_text().replace("---\n", "---\nmin_confidence: 0.9\n", 1)
    )
    unsure = (double / "answer.py").read_text().replace("* 2)", "* 2, confidence=0.5)")
    (double / "answer.py").write_text(unsure)
    said = lilliput("run", "hello", "--agent", "double")
    assert said.code == 0
    assert "taken in doubt: confidence: 0.50 is below 0.90" in said.err


def test_a_list_says_what_it_leaves_out(desk: Path, lilliput: Lilliput) -> None:
    assert lilliput("models", "list").err == ""
    (desk / "models" / "broken.yaml").write_text("name: broken\n")
    for listing in ("models", "agents", "tools", "workflows"):
        said = lilliput(listing, "list")
        assert said.code == 0
        assert "1 file left out because of mistakes" in said.err
