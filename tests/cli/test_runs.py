"""`lilliput runs`: a finished run is explained from its record alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestrator.records import Records
from orchestrator.settings import load_settings
from orchestrator.types import Task
from tests.cli.conftest import Lilliput, write


@pytest.mark.usefixtures("desk")
def test_there_may_be_no_runs_yet(lilliput: Lilliput) -> None:
    assert lilliput("runs", "list").code == 0
    assert lilliput("runs", "list", "--json").json == []


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("which", [(), ("last",), ("--last", "5"), ("20261201",)])
def test_where_nothing_was_run_there_is_nothing_to_replay(lilliput: Lilliput, which: tuple[str, ...]) -> None:
    said = lilliput("runs", "replay", *which)
    assert (said.code, said.out) == (2, "")
    assert "No run is recorded yet" in said.err
    assert "lilliput run --agent" in said.err


@pytest.mark.usefixtures("desk")
def test_which_runs_to_replay_must_be_said(lilliput: Lilliput) -> None:
    lilliput("run", "one", "--agent", "double")
    neither, both = lilliput("runs", "replay"), lilliput("runs", "replay", "last", "--last", "2")
    assert (neither.code, "lilliput runs replay last" in neither.err) == (2, True)
    assert (both.code, "not both" in both.err) == (2, True)
    assert lilliput("runs", "replay", "--last", "2").code == 0


@pytest.mark.usefixtures("desk")
def test_runs_that_go_on_are_not_replayed(lilliput: Lilliput) -> None:
    state = load_settings().settings.state_dir
    records = Records(state / "runs.sqlite")
    records.start(Task(agent="double", input={"text": "one"}))
    records.close()
    said = lilliput("runs", "replay", "--last", "2")
    assert (said.code, "None of the newest 2 has ended" in said.err) == (2, True)


@pytest.mark.usefixtures("desk")
def test_the_newest_run_is_listed_first(lilliput: Lilliput) -> None:
    lilliput("run", "one", "--agent", "double")
    lilliput("run", "two", "--agent", "double")
    assert [run["title"] for run in lilliput("runs", "list", "--json").json] == ["double: two", "double: one"]
    assert len(lilliput("runs", "list", "-n", "1", "--json").json) == 1
    assert "double: two" in lilliput("runs", "list").out


def test_a_run_is_explained_after_its_models_and_agents_are_gone(desk: Path, lilliput: Lilliput) -> None:
    run_id = lilliput("run", "hello", "--workflow", "notes", "--yes", "--json").json["run_id"]
    for folder in ("agents", "models"):
        shutil.rmtree(desk / folder)
    said = lilliput("runs", "show", run_id)
    assert said.code == 0
    for part in (
        "twice > loud + again > note  (workflow notes)",
        "cascade",
        "small",
        "smallest of 2 capable (1M parameters), then large if its checks fail",
        "✗ loud: 'too quiet' is not in capitals",
        "escalate: loud: 'too quiet' is not in capitals",
        "accept:",
        "HELLO",
        "J modelled",
    ):
        assert part in said.out


def test_the_losers_of_a_route_are_shown_with_their_reasons(desk: Path, lilliput: Lilliput) -> None:
    blind = (desk / "models" / "small.yaml").read_text().replace("name: small", "name: blind")
    write(desk, {"models/blind.yaml": blind.replace("[generate, json-schema, logprobs]", "[embed]")})
    lilliput("run", "x", "--agent", "shout")
    assert "blind: cannot generate, json-schema" in lilliput("runs", "show", "last").out


@pytest.mark.usefixtures("desk")
def test_a_run_is_found_by_the_beginning_of_its_id(lilliput: Lilliput) -> None:
    run_id = lilliput("run", "x", "--agent", "double", "--json").json["run_id"]
    assert lilliput("runs", "show", run_id[:-2], "--json").json["summary"]["id"] == run_id
    unknown = lilliput("runs", "show", "1999")
    assert unknown.code == 2
    assert "lilliput runs list" in unknown.err


@pytest.mark.usefixtures("desk")
def test_long_texts_are_cut_unless_asked_for_in_full(lilliput: Lilliput) -> None:
    lilliput("run", "\n".join(f"line {number}" for number in range(40)), "--agent", "double")
    assert "more lines (--full)" in lilliput("runs", "show", "last").out
    assert "line 39" not in lilliput("runs", "show", "last").out
    assert "line 39" in lilliput("runs", "show", "last", "--full").out
