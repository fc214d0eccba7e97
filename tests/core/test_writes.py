"""What a step writes: nothing before a person saw exactly that call."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.types import ApprovalAsked
from tests.core.world import add_agent, add_workflow, open_world, task, write

PAY = """
from orchestrator.tools import tool

@tool(effect="write")
def pay(amount: float, now: bool, to: str = "the usual account") -> dict[str, object]:
    'Pay.'
    return {"amount": amount, "now": now, "to": to}
"""

UNSURE = """
from orchestrator.types import Answer

async def answer(inputs, call):
    return Answer(output={"text": "perhaps"}, confidence=0.2)
"""


class TestWrites:
    @pytest.fixture
    def workflow(self, root: Path) -> Path:
        steps = {
            "put": {"tool": "save", "with": {"value": "${task.text}"}},
            "then": {"tool": "shout", "with": {"value": "after ${put.saved}"}},
        }
        add_workflow(root, "keep", steps)
        return root

    async def test_without_an_approver_it_waits(self, workflow: Path) -> None:
        async with open_world(workflow, {}) as world:
            result, steps, events = await world.run(task(workflow="keep"))
        assert result.status == "input-required"
        assert {s.subtask: s.status for s in steps} == {"put": "waiting", "then": "skipped"}
        assert [e.arguments for e in events if isinstance(e, ApprovalAsked)] == [{"value": "hello"}]
        assert not (workflow / "state" / "saved.txt").exists()

    @pytest.mark.parametrize("answer", [True, False])
    async def test_the_approver_sees_exactly_the_call(self, workflow: Path, answer: bool) -> None:
        seen: list[ApprovalAsked] = []

        async def approve(asked: ApprovalAsked) -> bool:
            seen.append(asked)
            return answer

        async with open_world(workflow, {}) as world:
            result, steps, events = await world.run(task(workflow="keep"), approve)
        assert [(a.tool, a.arguments) for a in seen] == [("save", {"value": "hello"})]
        assert steps[0].status == ("completed" if answer else "denied")
        assert (workflow / "state" / "saved.txt").exists() is answer
        assert result.status == "completed"
        assert "approval_given" in [event.kind for event in events]

    async def test_what_is_shown_has_the_types_and_defaults_of_what_runs(self, root: Path) -> None:
        write(root, "agents/pay/tools.py", PAY)
        add_workflow(root, "w", {"pay": {"tool": "pay", "with": {"amount": "12", "now": "yes"}}})
        seen: list[ApprovalAsked] = []

        async def approve(asked: ApprovalAsked) -> bool:
            seen.append(asked)
            return True

        async with open_world(root, {}) as world:
            _, steps, _ = await world.run(task(workflow="w"), approve)
        assert seen[0].arguments == steps[0].inputs == steps[0].output
        assert seen[0].arguments == {"amount": 12.0, "now": True, "to": "the usual account"}

    async def test_the_approver_hears_what_was_taken_in_doubt(self, root: Path) -> None:
        add_agent(root, "guess", answer=UNSURE, needs=[], min_confidence=0.9)
        steps = {
            "guess": {"agent": "guess", "with": {"text": "x"}},
            "put": {"tool": "save", "with": {"value": "${guess.text}"}},
        }
        add_workflow(root, "w", steps)
        async with open_world(root, {}) as world:
            _, _, events = await world.run(task(workflow="w"))
        (asked,) = (event for event in events if isinstance(event, ApprovalAsked))
        assert asked.doubts == ("guess: confidence: 0.20 is below 0.90, but no other model is left",)

    async def test_bad_arguments_are_refused_before_anybody_is_asked(self, root: Path) -> None:
        add_workflow(root, "w", {"put": {"tool": "save", "with": {"value": "${task.n}"}}},
                     input={"type": "object", "properties": {"text": {}, "n": {}}})  # fmt: skip
        async with open_world(root, {}) as world:
            result, _, events = await world.run(task(workflow="w", input={"text": "x", "n": 3}))
        assert result.status == "failed"
        assert not [event for event in events if isinstance(event, ApprovalAsked)]
