"""The demo from end to end on a small workspace: scripted models, a data set in a folder, no network."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestrator.bench.demo import (
    DemoProgress,
    DemoReport,
    needed_models,
    renderable,
    run_demo,
    write_report,
)
from orchestrator.bench.report import picture
from orchestrator.controller import Controller, open_controller
from orchestrator.errors import ModelUnavailable
from orchestrator.settings import Settings
from orchestrator.workspace import Workspace
from tests.bench.small_bfcl import CALL_OUT, TOOLS_IN, add_crew, add_small_bfcl
from tests.core.world import add_agent, add_model, add_workflow, write

TICKETS = '''
from orchestrator.tools import ToolContext, tool

@tool(effect="write")
def create_ticket(text: str, context: ToolContext) -> str:
    """Open a ticket."""
    (context.state_dir / "tickets.txt").write_text(text, "utf-8")
    return str(context.state_dir)
'''
MESSAGES = [{"text": "The printer is broken."}, {"text": "De printer is stuk."}, {"text": "Unused."}]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    add_small_bfcl(tmp_path)
    add_crew(tmp_path)
    write(tmp_path, "agents/desk/tools.py", TICKETS)
    steps = {"ticket": {"tool": "create_ticket", "with": {"text": "${task.text}"}}}
    add_workflow(tmp_path, "service-desk", steps, "${ticket}", examples=MESSAGES)
    machine = {"name": "default", "cpu_watts_per_core": 10.0, "idle_watts": 20.0, "source": "test"}
    write(tmp_path, "configs/machines/default.yaml", json.dumps(machine))
    return tmp_path


@asynccontextmanager
async def opened(root: Path) -> AsyncIterator[Controller]:
    settings = Settings(cache_dir=root / "cache", state_dir=root / "state", data_dir=root / "data")
    async with open_controller(Workspace((root,)), settings) as controller:
        yield controller


async def demo(root: Path) -> tuple[DemoReport, list[DemoProgress]]:
    told: list[DemoProgress] = []
    async with opened(root) as controller:
        return await run_demo(controller, told.append, now=lambda: "2026-01-02T03:04:05+00:00"), told


async def test_both_arms_answer_the_same_cases_and_are_scored(root: Path) -> None:
    report, _ = await demo(root)
    crew, reference = report.arms
    assert (crew.arm, crew.solved, crew.n) == ("crew", 2, 3)
    assert (reference.arm, reference.solved, reference.n) == ("reference", 1, 3)
    assert [(f.category, f.solved, f.n) for f in crew.families] == [("multiple", 2, 2), ("irrelevance", 0, 1)]
    assert (report.comparison.pairs.only_first, report.comparison.pairs.only_second) == (2, 1)
    assert report.conclusion.startswith("On these 3 cases the crew solved 2 and the reference 1")


async def test_only_the_models_of_the_benchmark_take_part(root: Path) -> None:
    report, _ = await demo(root)
    crew, reference = report.arms
    assert crew.calls_by_model == {"small": 3}, "not tiny, which is smaller still"
    assert reference.calls_by_model == {"large": 3}


async def test_what_is_told_follows_what_is_done(root: Path) -> None:
    report, told = await demo(root)
    kinds = [item.kind for item in told]
    assert kinds.count("desk_started") == 2
    assert kinds.index("warming_up") > max(n for n, kind in enumerate(kinds) if kind == "desk_event")
    assert kinds[-6:] == ["case_done"] * 6
    last = told[-1]
    assert last.kind == "case_done"
    assert (last.done, last.total, last.outcome) == (6, 6, report.outcomes[-1])


async def test_the_desk_writes_with_approval_into_a_folder_that_is_gone(root: Path) -> None:
    report, _ = await demo(root)
    assert [run.input["text"] for run in report.desk] == ["The printer is broken.", "De printer is stuk."]
    for run in report.desk:
        assert run.result.status == "completed"
        assert not Path(run.result.answer).exists()
    assert not (root / "state" / "tickets.txt").exists()


async def test_the_cases_stay_in_the_users_records(root: Path) -> None:
    report, _ = await demo(root)
    async with opened(root) as controller:
        recorded = [controller.records.run(outcome.run_id).result for outcome in report.outcomes]
    assert [result.answer for result in recorded if result] == [outcome.output for outcome in report.outcomes]


async def test_the_record_says_how_to_find_it_again_and_holds_no_question(root: Path) -> None:
    report, _ = await demo(root)
    record, image = write_report(report, root / "state")
    text = record.read_text("utf-8")
    assert DemoReport.model_validate_json(text) == report
    assert json.loads(text)["schema_version"] == 2
    assert (report.benchmark.seed, len(report.data_hash), report.machine) == (1, 64, "default")
    assert "Weather in Ghent" not in text
    assert record.name == "20260102T030405Z.json"
    assert image.read_text("utf-8") == picture(renderable(report), "lilliput demo")


async def test_an_absent_model_is_named_before_anything_runs(root: Path) -> None:
    file = {"name": "w", "parts": ["file:w"], "sha256": "0" * 64, "size_bytes": 1}
    add_model(root, "large", 1000, runtime="genai", files=[file])
    told: list[DemoProgress] = []
    async with opened(root) as controller:
        assert needed_models(controller) == ("small", "large")
        with pytest.raises(ModelUnavailable, match="lilliput models pull large"):
            await run_demo(controller, told.append)
    assert told == []


async def test_a_model_that_only_the_desk_needs_is_asked_for_too(root: Path) -> None:
    add_model(root, "linguist", 5, capabilities=["detect-language"])
    add_model(root, "great-linguist", 50, capabilities=["detect-language"])
    add_agent(root, "language", needs=["detect-language"])
    steps = {"language": {"agent": "language", "with": {"text": "${task.text}"}}}
    add_workflow(root, "service-desk", steps, "${language}", examples=MESSAGES)
    async with opened(root) as controller:
        assert needed_models(controller) == ("small", "large", "linguist")


async def test_a_crew_that_breaks_down_loses_and_the_demo_goes_on(root: Path) -> None:
    add_model(root, "small", 100, options={"fail": "out of order"})
    add_agent(root, "use-tool", retries=0, input=TOOLS_IN, output=CALL_OUT)
    report, _ = await demo(root)
    crew, _ = report.arms
    assert (crew.solved, crew.failed_runs) == (1, 3), "no call is right where no function fits"
