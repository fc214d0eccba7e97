"""Plans: references, conditions, and every reason to refuse one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import planning
from orchestrator.errors import PlanError
from orchestrator.types import AgentSpec, Plan, Subtask, ToolSpec, WorkflowSpec

ECHO = AgentSpec(
    name="echo",
    description="Say it again.",
    input={"type": "object", "properties": {"text": {}, "more": {}}, "required": ["text"]},
    output={"type": "object"},
    user="{{ text }}",
)
SAVE = ToolSpec(
    name="save",
    description="Keep it.",
    parameters={"type": "object", "properties": {"value": {}}, "required": ["value"]},
    effect="write",
)
AGENTS, TOOLS = {"echo": ECHO}, {"save": SAVE}


def plan(*steps: dict[str, Any], answer: Any = None) -> Plan:
    return Plan(subtasks=tuple(Subtask.model_validate(step) for step in steps), answer=answer)


def ask(name: str, text: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "agent": "echo", "with": {"text": text}, **more}


class TestReferences:
    SCOPE = {"task": {"text": "hallo", "n": 3}, "a": {"list": [{"x": 1}], "none": None}}

    @pytest.mark.parametrize(
        ("template", "expected"),
        [
            ("${task.text}", "hallo"),
            ("${task.n}", 3),
            ("n is ${task.n}.", "n is 3."),
            ("${a.list.0.x}", 1),
            ("${a.list}", [{"x": 1}]),
            ("see ${a.list}", 'see [{"x": 1}]'),
            ("${a.list.7.x}", None),
            ("${a.none}", None),
            ("${a.nothing.deep}", None),
            ("(${a.none})", "()"),
            ("plain", "plain"),
            ("$notareference {x}", "$notareference {x}"),
            (["${task.n}", {"k": "${task.text}"}], [3, {"k": "hallo"}]),
            (7, 7),
        ],
    )
    def test_resolve(self, template: Any, expected: Any) -> None:
        assert planning.resolve(template, self.SCOPE) == expected

    @given(st.text())
    def test_a_value_is_never_expanded_again(self, text: str) -> None:
        scope = {"task": {"text": text}, "secret": {"x": "SECRET"}}
        assert planning.resolve("${task.text}", scope) == text

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            (None, True),
            ("${task.text}", True),
            ("not ${task.text}", False),
            ("${a.none}", False),
            ("not ${a.none}", True),
            ("${task.text} and not ${a.none}", True),
            ("${task.text} and ${a.none}", False),
        ],
    )
    def test_conditions(self, condition: str | None, expected: bool) -> None:
        assert planning.holds(condition, self.SCOPE) is expected

    def test_a_condition_that_is_not_understood(self) -> None:
        with pytest.raises(PlanError, match="is not understood"):
            planning.holds("${a.x} == 3", self.SCOPE)


class TestRefusals:
    @pytest.mark.parametrize(
        ("steps", "answer", "reason"),
        [
            ([{"id": "a", "agent": "ecoh", "with": {"text": "x"}}], None, "no agent is called 'ecoh'"),
            ([{"id": "a", "tool": "rm", "with": {}}], None, "no tool is called 'rm'"),
            ([{"id": "a", "agent": "echo", "with": {}}], None, "needs the input 'text'"),
            ([ask("a", "x") | {"with": {"text": "x", "txt": 1}}], None, "has no input 'txt'"),
            ([ask("a", "${b.x}")], None, "refers to ${b}, which does not exist"),
            ([ask("a", "${task.wrong}")], None, "refers to ${task.wrong}"),
            ([ask("a", "x"), ask("a", "y")], None, "the id 'a' is taken"),
            ([ask("task", "x")], None, "the id 'task' is taken"),
            ([ask("a", "x", after=["b"])], None, "waits for 'b', which does not exist"),
            ([ask("a", "x", when="${c.y}")], None, "refers to ${c}"),
            ([ask("a", "x")], "${z}", "step 'answer' refers to ${z}"),
            ([ask("a", "${b.x}"), ask("b", "${a.x}")], None, "in a circle: a -> b -> a"),
            ([ask("a", "${a.x}")], None, "in a circle: a -> a"),
            ([ask("a", "x", after=["c"]), ask("b", "${a.x}"), ask("c", "${b.x}")], None, "in a circle"),
            ([ask(f"s{i}", "x") for i in range(33)], None, "are too many"),
        ],
    )
    def test_refused_with_the_reason(self, steps: list[dict[str, Any]], answer: Any, reason: str) -> None:
        with pytest.raises(PlanError) as refused:
            planning.insist(plan(*steps, answer=answer), AGENTS, TOOLS, {"text"})
        assert reason in str(refused.value)

    def test_all_reasons_are_listed(self) -> None:
        bad = plan(ask("a", "${b.x}"), {"id": "c", "tool": "rm", "with": {}})
        with pytest.raises(PlanError, match="cannot run") as refused:
            planning.insist(bad, AGENTS, TOOLS)
        assert "no tool is called 'rm'" in str(refused.value)
        assert "${b}" in str(refused.value)

    def test_a_good_plan_passes(self) -> None:
        good = plan(ask("a", "${task.text}"), {"id": "b", "tool": "save", "with": {"value": "${a}"}})
        planning.insist(good, AGENTS, TOOLS, {"text"})
        assert planning.needs(good.subtasks[1]) == ["a"]

    @given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
    def test_cycles_are_found_exactly_when_there_is_one(self, edges: list[tuple[int, int]]) -> None:
        after = {i: [f"n{b}" for a, b in edges if a == i] for i in range(8)}
        graph = plan(*(ask(f"n{i}", "x", after=after[i]) for i in range(8)))
        found = any("circle" in message for message, _ in planning.problems(graph, AGENTS, TOOLS))
        assert found is _has_cycle({i: {b for a, b in edges if a == i} for i in range(8)})


def _has_cycle(graph: dict[int, set[int]]) -> bool:
    """Kahn's algorithm, as an independent opinion."""
    left = {node: set(out) for node, out in graph.items()}
    while leaves := [node for node, out in left.items() if not out]:
        for leaf in leaves:
            del left[leaf]
        for out in left.values():
            out.difference_update(leaves)
    return bool(left)


class TestPlanners:
    def test_a_workflow_fills_in_its_own_values(self) -> None:
        spec = WorkflowSpec(
            name="w",
            description="",
            input={"type": "object", "properties": {"text": {}}},
            values={"labels": ["x", "y"]},
            steps=(
                Subtask.model_validate({"id": "a", "agent": "echo", "with": {"text": "${values.labels}"}}),
            ),
            answer={"labels": "${values.labels}", "a": "${a.text}"},
        )
        made = planning.plan_from_workflow(spec)
        assert made.subtasks[0].inputs == {"text": ["x", "y"]}
        assert made.answer == {"labels": ["x", "y"], "a": "${a.text}"}

    def test_a_users_text_is_not_read_as_a_reference(self) -> None:
        made = planning.plan_from_agent("echo", {"text": "${secret.x}"})
        assert planning.resolve(made.subtasks[0].inputs, {"task": {"text": "${secret.x}"}}) == {
            "text": "${secret.x}"
        }

    @pytest.mark.parametrize(
        ("kind", "written", "read"),
        [
            ("number", "180", 180),
            ("integer", "3", 3),
            ("boolean", "true", True),
            (["number", "null"], "1.5", 1.5),
            ("string", "180", "180"),
            ("number", "many", "many"),
            ("number", "${a.x}", "${a.x}"),
            ("number", "[1]", "[1]"),
        ],
    )
    def test_a_number_that_a_model_writes_as_text_becomes_one(
        self, kind: Any, written: str, read: Any
    ) -> None:
        tool = SAVE.model_copy(update={"parameters": {"properties": {"value": {"type": kind}}}})
        output = {"subtasks": [{"id": "a", "tool": "save", "with": {"value": written}}], "answer": "x"}
        assert planning.plan_from_model(output, {}, {"save": tool}).subtasks[0].inputs == {"value": read}

    @pytest.mark.parametrize("output", [{}, [], None, {"subtasks": []}, {"subtasks": [{"id": "a"}]}, "text"])
    def test_a_models_nonsense_is_a_plan_error(self, output: Any) -> None:
        with pytest.raises(PlanError, match="form of a plan"):
            planning.plan_from_model(output)

    def test_the_schema_allows_only_what_exists(self) -> None:
        schema = planning.plan_schema(["echo"], ["save"])
        kinds = schema["properties"]["subtasks"]["items"]["anyOf"]
        assert [kind["properties"].get("agent") for kind in kinds] == [{"enum": ["echo"]}, None]
        assert planning.plan_schema(["echo"], [])["properties"]["subtasks"]["items"]["anyOf"] == kinds[:1]

    @pytest.mark.parametrize(
        ("kind", "takes"),
        [
            ("string", True),
            (["string", "null"], True),
            ("array", False),
            ("object", False),
            ("number", True),
        ],
    )
    def test_a_model_is_shown_only_what_it_can_write_inputs_for(self, kind: Any, takes: bool) -> None:
        properties = {"text": {"type": "string"}, "other": {"type": kind}}
        assert planning.takes_text({"properties": properties, "required": ["text", "other"]}) is takes
        assert planning.takes_text({"properties": properties, "required": ["text"]})
        assert planning.takes_text({"properties": {"choice": {"enum": ["a"]}}, "required": ["choice"]})
