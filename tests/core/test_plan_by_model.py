"""A task without a workflow: a model plans it, and is told once what is wrong with its plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.types import GenerateRequest
from tests.core.world import open_world, task, write


class TestPlanByModel:
    GOOD = {
        "subtasks": [{"id": "a", "agent": "echo", "with": {"text": "${task.text}"}}],
        "answer": "${a.text}",
    }
    BAD = {"subtasks": [{"id": "a", "agent": "echo", "with": {"text": "${b.x}"}}], "answer": ""}

    @pytest.fixture
    def planner(self, root: Path) -> Path:
        schema = {"type": "object", "properties": {"task": {}, "catalogue": {}, "schema": {"type": "object"}}}
        header = {
            "name": "plan",
            "description": "Plan.",
            "needs": ["generate"],
            "input": schema,
            "output_from": "schema",
        }
        write(
            root,
            "agents/plan/agent.md",
            f"---\n{json.dumps(header)}\n---\n# User\n{{{{ task }}}}\n{{{{ catalogue | json }}}}\n",
        )
        return root

    def script(self, *plans: Any) -> Any:
        left = list(plans)

        async def reply(request: GenerateRequest) -> str:
            planning = "echo" in request.messages[0].content and len(request.messages[0].content) > 60
            return json.dumps(left.pop(0) if planning else {"text": "hi"})

        return reply

    async def test_a_good_plan_runs(self, planner: Path) -> None:
        async with open_world(planner, {"small": self.script(self.GOOD)}, controller_model="small") as world:
            result, steps, _ = await world.run(task())
        assert (result.status, result.answer) == ("completed", "hi")
        assert [(s.subtask, s.agent) for s in steps] == [("plan", "plan"), ("a", "echo")]

    async def test_an_answer_that_points_at_nothing_is_the_last_output(self, planner: Path) -> None:
        script = self.script({**self.GOOD, "answer": "${a.result}"})
        async with open_world(planner, {"small": script}, controller_model="small") as world:
            result, _, _ = await world.run(task())
        assert (result.status, result.answer) == ("completed", {"text": "hi"})

    async def test_a_bad_plan_is_told_why_and_mended_once(self, planner: Path) -> None:
        script = self.script(self.BAD, self.GOOD)
        async with open_world(planner, {"small": script}, controller_model="small") as world:
            result, steps, _ = await world.run(task())
        assert result.status == "completed"
        assert [s.status for s in steps] == ["failed", "completed", "completed"]
        assert "refers to ${b}, which does not exist" in world.requests[1][1].messages[-1].content

    async def test_twice_bad_is_the_end(self, planner: Path) -> None:
        script = self.script(self.BAD, self.BAD, self.GOOD)
        async with open_world(planner, {"small": script}, controller_model="small") as world:
            result, steps, _ = await world.run(task())
        assert (result.status, len(steps)) == ("failed", 2)
        assert "small could not plan this" in (result.error or "")
