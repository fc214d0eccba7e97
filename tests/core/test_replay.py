"""Replays: exact where nothing changes, asked anew where something does, and never a write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.records import RunRecord
from orchestrator.replay import Replayed, replay, total
from orchestrator.types import ApprovalAsked, Task, Usage
from tests.core.world import Reply, World, add_agent, add_model, add_workflow, open_world, says, write

TOOLS = '''
from orchestrator.tools import ToolContext, tool

@tool(effect="write")
def save(value: str, context: ToolContext) -> dict[str, str]:
    """Save."""
    context.state_dir.mkdir(parents=True, exist_ok=True)
    with (context.state_dir / "saved.txt").open("a") as file:
        file.write(value + chr(10))
    return {"saved": value}

@tool()
def count(value: str) -> dict[str, int]:
    """Count."""
    return {"letters": len(value)}
'''
GENERATES = ["generate", "json-schema"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    add_model(tmp_path, "small", 10, capabilities=GENERATES)
    add_model(tmp_path, "large", 100, capabilities=GENERATES, role="reference")
    add_agent(tmp_path, "guess", retries=0)
    write(tmp_path, "agents/guess/tools.py", TOOLS)
    steps = {
        "think": {"agent": "guess", "with": {"text": "${task.text}"}},
        "size": {"tool": "count", "with": {"value": "${think.text}"}},
        "keep": {"tool": "save", "with": {"value": "${think.text}"}},
    }
    add_workflow(tmp_path, "work", steps, "${keep.saved}")
    return tmp_path


async def yes(asked: ApprovalAsked) -> bool:
    return True


async def recorded(world: World, n: int, route: str = "cascade", approve: Any = yes) -> list[RunRecord]:
    for number in range(n):
        await world.run(Task(workflow="work", input={"text": f"number {number}"}, route=route), approve)
    return [world.records.run(run.id) for run in world.records.runs(n)]


async def again(world: World, runs: list[RunRecord], policy: str) -> list[Replayed]:
    return [found async for found in replay(world.controller, runs, policy)]


def saved(root: Path) -> list[str]:
    file = root / "state" / "saved.txt"
    return file.read_text("utf-8").splitlines() if file.is_file() else []


def replies(small: str = "little", large: str = "much") -> dict[str, Reply]:
    return {"small": says(small), "large": says(large)}


async def test_the_same_policy_asks_nothing_and_adds_up_to_the_record(root: Path) -> None:
    async with open_world(root, replies()) as world:
        runs = await recorded(world, 20)
        asked_before, saved_before = len(world.requests), saved(root)
        found = await again(world, runs, "cascade")
    assert len(world.requests) == asked_before
    assert saved(root) == saved_before
    summed = total(found)
    assert (summed.runs, summed.same_answers, summed.asked) == (20, 20, {})
    exact = sum((step.usage for run in runs for step in run.steps), Usage())
    assert summed.usage_now == summed.usage_then == exact
    assert not any(change.changed for each in found for change in each.steps)


async def test_another_policy_asks_only_what_differs_and_writes_nothing(root: Path) -> None:
    async with open_world(root, replies()) as world:
        runs = await recorded(world, 5)
        asked_before, saved_before = len(world.requests), saved(root)
        found = await again(world, runs, "all-reference")
    assert [name for name, _ in world.requests[asked_before:]] == ["large"] * 5
    assert saved(root) == saved_before, "a replay wrote"
    for each in found:
        think, size, keep = each.steps
        assert (think.models_then, think.models_now, think.same_output) == (("small",), ("large",), False)
        assert size.changed, "a read with other arguments is made"
        assert keep.other_arguments
        assert keep.same_output, "what the write gave back then"
        assert each.asked == {"large": 1}


async def test_the_same_answer_by_another_model_changes_no_later_step(root: Path) -> None:
    async with open_world(root, replies(large="little")) as world:
        runs = await recorded(world, 3)
        found = await again(world, runs, "all-reference")
    for each in found:
        assert each.same_answer
        assert [change.subtask for change in each.steps if change.changed] == ["think"]


async def test_a_write_that_the_record_does_not_know_waits(root: Path) -> None:
    async with open_world(root, replies()) as world:
        (run,) = await recorded(world, 1)
        without = run.model_copy(update={"steps": run.steps[:2]})
        (found,) = await again(world, [without], "cascade")
    assert found.status_now == "input-required"
    assert saved(root) == ["little"]


async def test_a_write_that_was_denied_stays_denied(root: Path) -> None:
    async def no(asked: ApprovalAsked) -> bool:
        return False

    async with open_world(root, replies()) as world:
        runs = await recorded(world, 1, approve=no)
        (found,) = await again(world, runs, "cascade")
    assert found.status_then == found.status_now
    assert saved(root) == []


async def test_an_escalation_is_replayed_and_a_ladder_without_it_is_decided_anew(root: Path) -> None:
    check = (
        'def check_loud(inputs, output):\n    return None if output["text"] != "little" else "too little"\n'
    )
    add_agent(root, "guess", retries=0, checks=check)
    async with open_world(root, replies()) as world:
        runs = await recorded(world, 1)
        asked_before = len(world.requests)
        (same,) = await again(world, runs, "cascade")
        (small,) = await again(world, runs, "all-small")
    assert len(world.requests) == asked_before, "the record knows what the small one says"
    assert same.steps[0].models_now == ("small", "large")
    assert small.status_now == "failed"
    assert small.steps[0].models_now == ("small",)


async def test_two_hundred_runs_under_three_policies(root: Path) -> None:
    async with open_world(root, replies()) as world:
        runs = await recorded(world, 200, approve=yes)
        kept = saved(root)
        for policy, asked in (("cascade", {}), ("all-small", {}), ("all-reference", {"large": 200})):
            summed = total(await again(world, runs, policy))
            assert (summed.runs, summed.asked) == (200, asked)
            if not asked:
                assert summed.usage_now == summed.usage_then
    assert saved(root) == kept
