"""The loop, through its one public door: tasks in, events and a record out."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import InvalidInput, ModelError, ModelUnavailable, UnknownName, UserError
from orchestrator.types import GenerateRequest, Progress, Task
from tests.core.world import (
    add_agent,
    add_model,
    add_workflow,
    cut_off,
    fails,
    open_world,
    publish,
    says,
    task,
)


class TestOneAgent:
    async def test_events_come_in_order_and_are_recorded(self, root: Path) -> None:
        async with open_world(root, {"small": says("hi"), "large": says("HI")}) as world:
            result, _, events = await world.run(task(agent="echo"))
            recorded = world.records.run(result.run_id)
        told = [event for event in events if not isinstance(event, Progress)]
        assert [event.kind for event in told] == ["run_started", "planned", "routed", "step_done", "run_done"]
        assert list(recorded.events) == told
        assert [event.text for event in events if isinstance(event, Progress)] == ['{"text": "hi"}']
        assert (result.status, result.answer) == ("completed", {"text": "hi"})
        assert recorded.result == result

    async def test_the_step_says_who_answered_and_why(self, root: Path) -> None:
        add_model(root, "mute", 1, capabilities=["embed"])
        publish(root, "small", "echo")
        async with open_world(root, {"small": says("hi")}) as world:
            _, (step,), _ = await world.run(task(agent="echo", route="smallest-capable"))
        assert step.route is not None
        assert (step.model, step.route.policy) == ("small", "smallest-capable")
        assert "with evidence for this agent: 91 % on tickets" in step.route.reason
        assert {item.model: item.reason for item in step.route.rejected} == {
            "mute": "cannot generate",
            "large": "larger than small (0M parameters)",
        }
        assert step.decision is not None
        assert [check.name for check in step.decision.checks] == ["schema", "right"]

    async def test_without_evidence_the_reference_answers(self, root: Path) -> None:
        publish(root, "small", "another")
        async with open_world(root, {"large": says("hi")}) as world:
            _, (step,), _ = await world.run(task(agent="echo", route="smallest-capable"))
        assert step.route is not None
        assert step.model == "large"
        assert "no smaller model has evidence" in step.route.reason

    async def test_usage_is_charged_by_model_and_adds_up(self, root: Path) -> None:
        async with open_world(root, {"small": says("hi")}) as world:
            result, _, _ = await world.run(task(agent="echo"))
        assert set(result.usage_by_model) == {"small", "overhead"}
        assert result.usage.prompt_tokens == 3
        parts = [usage.energy_j or 0.0 for usage in result.usage_by_model.values()]
        assert result.usage.energy_j == pytest.approx(sum(parts))
        assert result.usage.energy_source == "modelled"
        assert result.usage.duration_s is not None
        assert result.idle_energy_j == pytest.approx(20.0 * result.usage.duration_s)

    async def test_a_users_reference_syntax_stays_text(self, root: Path) -> None:
        async with open_world(root, {"small": says("hi")}) as world:
            await world.run(task(agent="echo", input={"text": "${task.secret} {{ 7 * 7 }}"}))
        assert world.requests[0][1].messages[-1].content == "${task.secret} {{ 7 * 7 }}"


class TestCascade:
    async def test_told_what_was_wrong_then_the_next_model(self, root: Path) -> None:
        async with open_world(root, {"small": says("wrong"), "large": says("right")}) as world:
            result, steps, _ = await world.run(task(agent="echo"))
        assert result.answer == {"text": "right"}
        assert [(s.model, s.attempt, s.status) for s in steps] == [
            ("small", 1, "failed"),
            ("small", 2, "failed"),
            ("large", 1, "completed"),
        ]
        assert [s.decision.action for s in steps if s.decision] == ["retry", "escalate", "accept"]
        assert "right: it is wrong" in world.requests[1][1].messages[-1].content
        assert len(world.requests[2][1].messages) == 2, "the next model starts afresh"

    async def test_a_retry_can_mend_it(self, root: Path) -> None:
        async def second_time(request: GenerateRequest) -> str:
            return json.dumps({"text": "right" if len(request.messages) > 2 else "wrong"})

        async with open_world(root, {"small": second_time}) as world:
            result, steps, _ = await world.run(task(agent="echo"))
        assert result.status == "completed"
        assert result.refused is None
        assert [s.model for s in steps] == ["small", "small"]

    async def test_a_truncated_answer_goes_up_at_once(self, root: Path) -> None:
        async with open_world(root, {"small": cut_off(), "large": says("all")}) as world:
            result, steps, _ = await world.run(task(agent="echo"))
        assert [(s.model, s.status) for s in steps] == [("small", "failed"), ("large", "completed")]
        assert "used all 256 tokens" in (steps[0].error or "")
        assert result.usage.completion_tokens == 4, "the truncated call is charged too"

    @pytest.mark.parametrize("error", [ModelError("out of order"), RuntimeError("segfault"), KeyError("x")])
    async def test_a_model_that_fails_never_ends_the_run(self, root: Path, error: Exception) -> None:
        async with open_world(root, {"small": fails(error), "large": says("right")}) as world:
            result, steps, _ = await world.run(task(agent="echo"))
        assert result.status == "completed"
        assert str(error) in (steps[0].error or "")

    async def test_a_model_that_cannot_be_loaded_is_a_failed_rung(self, root: Path) -> None:
        add_model(root, "broken", 1, memory_bytes=100)
        async with open_world(root, {"small": says("right")}) as world:
            world.controller.pool._loader = _refuse_broken(world.controller.pool._loader)
            result, steps, _ = await world.run(task(agent="echo"))
        assert result.status == "completed"
        assert [(s.model, s.status) for s in steps] == [("broken", "failed"), ("small", "completed")]

    async def test_when_all_fail_the_run_fails_and_says_why(self, root: Path) -> None:
        async with open_world(root, {"small": says("wrong"), "large": says("wrong")}) as world:
            result, steps, _ = await world.run(task(agent="echo"))
        assert (result.status, result.answer, len(steps)) == ("failed", None, 4)
        assert "right: it is wrong" in (result.error or "")
        assert result.refused == {"text": "wrong"}, "what was said last stays to be seen"

    async def test_fixed_does_not_climb(self, root: Path) -> None:
        async with open_world(root, {"small": says("wrong"), "large": says("right")}) as world:
            result, steps, _ = await world.run(task(agent="echo", route="fixed:small"))
        assert result.status == "failed"
        assert {s.model for s in steps} == {"small"}


ASKS = """from orchestrator.agent import messages_of
from orchestrator.types import Answer


async def answer(inputs, call):
    said = await call.generate(messages_of(call.spec, inputs))
"""


class TestAgreement:
    async def test_what_two_say_counts_and_the_third_is_not_asked(self, root: Path) -> None:
        add_model(root, "middle", 500)
        replies = {"small": says("hi"), "middle": says("hi"), "large": says("no")}
        async with open_world(root, replies) as world:
            result, steps, _ = await world.run(task(agent="echo", route="agree:large,middle,small"))
        assert result.answer == {"text": "hi"}
        assert [(s.model, s.status) for s in steps] == [("small", "failed"), ("middle", "completed")]
        assert [s.decision.action for s in steps if s.decision] == ["escalate", "accept"], "nothing to mend"
        assert steps[0].error == "agreement: no other model has answered yet"
        route = steps[0].route
        assert route is not None
        assert route.reason == "accepted once two of small, middle, large say the same, else large decides"

    async def test_where_they_differ_the_last_decides(self, root: Path) -> None:
        add_model(root, "middle", 500)
        async with open_world(root, {"small": says("a"), "middle": says("b"), "large": says("c")}) as world:
            result, steps, _ = await world.run(task(agent="echo", route="agree:small,middle,large"))
        assert result.answer == {"text": "c"}
        assert [s.model for s in steps] == ["small", "middle", "large"]
        assert steps[1].error == "agreement: small says otherwise"
        assert steps[2].decision is not None
        assert steps[2].decision.reason == "agreement: middle says otherwise, but no other model is left"

    async def test_two_that_make_the_same_mistake_do_not_agree_on_it(self, root: Path) -> None:
        add_model(root, "middle", 500)
        replies = {"small": says("wrong"), "middle": says("wrong"), "large": says("right")}
        async with open_world(root, replies) as world:
            result, steps, _ = await world.run(task(agent="echo", route="agree:small,middle,large"))
            told = world.requests[1][1].messages[-1].content
        assert result.answer == {"text": "right"}
        assert [s.model for s in steps] == ["small", "small", "middle", "middle", "large"]
        assert "right: it is wrong" in told
        assert "agreement" not in told, "nothing that a model could mend"

    async def test_the_third_may_agree_with_the_first(self, root: Path) -> None:
        add_model(root, "middle", 500)
        add_model(root, "upper", 900, role="candidate")  # not promoted: asked because it is named
        replies = {"small": says("a"), "middle": says("b"), "upper": says("a"), "large": says("c")}
        async with open_world(root, replies) as world:
            result, steps, _ = await world.run(task(agent="echo", route="agree:small,middle,upper,large"))
        assert (result.answer, len(steps)) == ({"text": "a"}, 3)

    async def test_null_is_an_answer_and_a_failure_is_none(self, root: Path) -> None:
        add_model(root, "middle", 500)
        null = ASKS + "    return Answer(output=None)\n"
        add_agent(root, "null", answer=null, output={"type": "null"}, retries=0)
        broken = {"small": fails(ModelError("no")), "middle": says("-"), "large": says("-")}
        async with open_world(root, broken) as world:
            _, steps, _ = await world.run(task(agent="null", route="agree:small,middle,large"))
        failed = [s.model for s in steps if s.status == "failed"]
        assert (set(failed), steps[-1].model) == ({"small", "middle"}, "large")
        async with open_world(root, {**broken, "small": says("-")}) as world:
            _, steps, _ = await world.run(task(agent="null", route="agree:small,middle,large"))
        assert [s.model for s in steps] == ["small", "middle"]

    async def test_what_stands_beside_the_answer_need_not_agree(self, root: Path) -> None:
        add_model(root, "middle", 500)
        scored = ASKS + "    return Answer(output={'label': 'a', 'score': len(said.text)})\n"
        learns = {"kind": "label", "answer": "label"}
        shape = {"type": "object", "properties": {"label": {"type": "string"}, "score": {"type": "number"}}}
        add_agent(root, "scored", answer=scored, output=shape, learns=learns)
        replies = {"small": says("1"), "middle": says("22"), "large": says("-")}
        async with open_world(root, replies) as world:
            _, steps, _ = await world.run(task(agent="scored", route="agree:small,middle,large"))
        assert [s.model for s in steps] == ["small", "middle"]

    async def test_agreement_takes_the_place_of_confidence(self, root: Path) -> None:
        add_model(root, "middle", 500)
        unsure = "from orchestrator.types import Answer\n\n\nasync def answer(inputs, call):\n" + (
            "    return Answer(output={'text': 'hi'}, confidence=0.1)\n"
        )
        add_agent(root, "unsure", answer=unsure, min_confidence=0.9)
        async with open_world(root, {"small": says("-"), "middle": says("-")}) as world:
            result, steps, _ = await world.run(task(agent="unsure", route="agree:small,middle,large"))
        assert (result.status, len(steps)) == ("completed", 2)

    async def test_where_one_alone_is_able_its_confidence_counts(self, root: Path) -> None:
        add_model(root, "enc", 10, capabilities=["embed"])
        sure = "from orchestrator.types import Answer\n\n\nasync def answer(inputs, call):\n" + (
            "    return Answer(output={'text': 'hi'}, confidence=0.99)\n"
        )
        add_agent(root, "sure", answer=sure, needs=["embed"], min_confidence=0.5)
        add_agent(root, "code", answer=sure, needs=[])
        async with open_world(root, {"enc": says("-")}) as world:
            for agent in ("sure", "code"):
                _, (step,), _ = await world.run(task(agent=agent, route="agree:enc,small,large"))
                assert step.decision is not None
                assert "agreement" not in {check.name for check in step.decision.checks}

    @pytest.mark.parametrize("route", ["agree:small", "agree:small,small"])
    async def test_one_model_alone_cannot_agree(self, root: Path, route: str) -> None:
        async with open_world(root, {}) as world:
            with pytest.raises(InvalidInput, match="two must agree"):
                await world.run(task(agent="echo", route=route))

    async def test_a_model_that_is_not_there_is_named(self, root: Path) -> None:
        async with open_world(root, {}) as world:
            with pytest.raises(UnknownName, match="nobody"):
                await world.run(task(agent="echo", route="agree:small,nobody"))


def _refuse_broken(load: Any) -> Any:
    def refusing(card: Any, options: Any) -> Any:
        if card.name == "broken":
            raise ModelUnavailable("the file is damaged")
        return load(card, options)

    return refusing


class TestGraph:
    async def test_independent_subtasks_run_at_the_same_time(self, root: Path) -> None:
        at_once, peak = 0, 0

        async def counting(request: GenerateRequest) -> str:
            nonlocal at_once, peak
            at_once, peak = at_once + 1, max(peak, at_once + 1)
            await asyncio.sleep(0.02)
            at_once -= 1
            return json.dumps({"text": request.messages[-1].content})

        steps = {
            name: {"agent": "echo", "with": {"text": f"{name} ${{task.text}}"}} for name in ("a", "b", "c")
        }
        steps["d"] = {"agent": "echo", "with": {"text": "${a.text}+${b.text}+${c.text}"}}
        add_workflow(root, "fan", steps, answer={"all": "${d.text}"})
        async with open_world(root, {"small": counting}) as world:
            result, _, _ = await world.run(task(workflow="fan"))
        assert peak == 3
        assert result.answer == {"all": "a hello+b hello+c hello"}

    async def test_a_condition_that_does_not_hold_skips_and_leaves_null(self, root: Path) -> None:
        steps = {
            "a": {"agent": "echo", "with": {"text": "x"}},
            "b": {"tool": "shout", "with": {"value": "no"}, "when": "not ${a.text}"},
            "c": {"tool": "shout", "with": {"value": "got [${b}]"}},
        }
        add_workflow(root, "w", steps, answer={"b": "${b}", "c": "${c}"})
        async with open_world(root, {"small": says("hi")}) as world:
            result, done, _ = await world.run(task(workflow="w"))
        assert (result.status, result.answer) == ("completed", {"b": None, "c": "GOT []"})
        assert {s.subtask: s.status for s in done} == {"a": "completed", "b": "skipped", "c": "completed"}

    async def test_a_failure_stops_what_depends_on_it_and_nothing_else(self, root: Path) -> None:
        steps = {
            "bad": {"tool": "shout", "with": {"value": "boom"}},
            "after": {"tool": "shout", "with": {"value": "x ${bad}"}},
            "other": {"tool": "shout", "with": {"value": "fine"}},
        }
        add_workflow(root, "w", steps, answer={"other": "${other}"})
        async with open_world(root, {}) as world:
            result, done, _ = await world.run(task(workflow="w"))
        assert result.status == "failed"
        assert "shout failed: RuntimeError: too loud" in (result.error or "")
        assert {s.subtask: s.status for s in done} == {
            "bad": "failed",
            "after": "skipped",
            "other": "completed",
        }
        assert result.answer == {"other": "FINE"}

    async def test_an_optional_failure_is_null(self, root: Path) -> None:
        steps = {
            "bad": {"tool": "shout", "with": {"value": "boom"}, "optional": True},
            "after": {"tool": "shout", "with": {"value": "x ${bad}"}},
        }
        add_workflow(root, "w", steps)
        async with open_world(root, {}) as world:
            result, _, _ = await world.run(task(workflow="w"))
        assert (result.status, result.answer) == ("completed", "X ")

    async def test_an_agents_input_that_does_not_fit_fails_the_step(self, root: Path) -> None:
        steps = {
            "a": {"tool": "shout", "with": {"value": "x"}},
            "b": {"agent": "echo", "with": {"text": "${a.no}"}},
        }
        add_workflow(root, "w", steps)
        async with open_world(root, {}) as world:
            result, done, _ = await world.run(task(workflow="w"))
        assert result.status == "failed"
        assert "'text' is a required property" in (done[-1].error or "")


class TestErrorsOfTheUser:
    @pytest.mark.parametrize(
        ("wrong", "error", "message"),
        [
            (Task(agent="ecko", input={"text": "x"}), UnknownName, "Did you mean 'echo'"),
            (Task(workflow="nothing", input={"text": "x"}), UnknownName, "Unknown workflow"),
            (Task(agent="echo", input={"txt": "x"}), InvalidInput, "'text' is a required property"),
            (
                Task(agent="echo", input={"text": "x"}, route="fixed:smal"),
                UnknownName,
                "Did you mean 'small'",
            ),
            (Task(agent="echo", input={"text": "x"}, route="best"), UnknownName, "Unknown routing policy"),
            (Task(input={}), InvalidInput, "nothing to do"),
        ],
    )
    async def test_raise_and_leave_no_run(
        self, root: Path, wrong: Task, error: type[UserError], message: str
    ) -> None:
        async with open_world(root, {}) as world:
            with pytest.raises(error, match=message):
                await world.run(wrong)
            assert world.records.runs() == []

    async def test_one_model_for_a_workflow_that_needs_two_kinds_says_what_to_name(self, root: Path) -> None:
        add_agent(root, "find", needs=["embed"])
        add_model(root, "encoder", 5, capabilities=["embed"])
        add_model(root, "encoder-xl", 50, capabilities=["embed"])
        steps = {name: {"agent": name, "with": {"text": "x"}} for name in ("echo", "find")}
        add_workflow(root, "both", steps)
        add_workflow(root, "perhaps", {**steps, "find": {**steps["find"], "optional": True}})
        async with open_world(root, {"small": says("hi")}) as world:
            with pytest.raises(InvalidInput, match=r"agent 'find', .* --route only:small,encoder$"):
                await world.run(task(workflow="both", route="fixed:small"))
            assert world.records.runs() == []
            result, _, _ = await world.run(task(workflow="perhaps", route="fixed:small"))
        assert result.status == "completed"
