"""Plans: a validated acyclic graph of subtasks, from a declared workflow, a single agent, or a model.

References are written `${task.text}` or `${triage.label}`: a subtask's id, then a path into its output. A
string that is one reference keeps the value's type; inside a longer string the value becomes text. A path
that leads nowhere at run time is null, which is what a skipped subtask leaves behind; an id that does not
exist is refused before anything runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestrator.errors import InvalidInput, PlanError
from orchestrator.types import AgentSpec, Json, Plan, Subtask, ToolSpec, WorkflowSpec
from orchestrator.workspace import Entry

_REFERENCE = re.compile(r"\$\{\s*([a-z][a-z0-9_]*)((?:\.[A-Za-z0-9_-]+)*)\s*\}")
_CONDITION = re.compile(r"^\s*(not\s+)?(\$\{[^}]*\})\s*$")
_SCALARS = {"string", "number", "integer", "boolean"}
MAX_SUBTASKS = 32


# --- references -----------------------------------------------------------------------------------------


def references(value: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every `${root.path}` anywhere in a value, as (root, path)."""
    if isinstance(value, str):
        for match in _REFERENCE.finditer(value):
            yield match[1], tuple(match[2].split(".")[1:])
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from references(item)


def resolve(value: Any, scope: Mapping[str, Any]) -> Any:
    """The value with every reference replaced by what `scope` holds there, or null."""
    if isinstance(value, str):
        whole = _REFERENCE.fullmatch(value)
        if whole:
            return _look_up(whole, scope)
        return _REFERENCE.sub(lambda match: _as_text(_look_up(match, scope)), value)
    if isinstance(value, Mapping):
        return {key: resolve(item, scope) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(item, scope) for item in value]
    return value


def holds(condition: str | None, scope: Mapping[str, Any]) -> bool:
    """Whether `when:` lets a subtask run: `${a.b}` or `not ${a.b}`, several joined by ` and `."""
    if condition is None:
        return True
    for part in condition.split(" and "):
        match = _CONDITION.match(part)
        if match is None:
            raise PlanError(f"`when: {condition}` is not understood; write ${{id.path}} or not ${{id.path}}.")
        if bool(resolve(match[2], scope)) == bool(match[1]):
            return False
    return True


def _look_up(match: re.Match[str], scope: Mapping[str, Any]) -> Any:
    value = scope.get(match[1])
    for key in match[2].split(".")[1:]:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list | tuple) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def needs(subtask: Subtask) -> list[str]:
    """Ids of the subtasks that must end before this one starts."""
    mentioned = [root for root, _ in references([subtask.inputs, subtask.when])]
    return list(dict.fromkeys(root for root in (*mentioned, *subtask.after) if root != "task"))


# --- planners -------------------------------------------------------------------------------------------


def plan_from_workflow(spec: WorkflowSpec) -> Plan:
    """The workflow's own `values:` are put in place, so that the recorded plan stands by itself."""
    values = {"values": spec.values}
    steps = tuple(
        step.model_copy(update={"inputs": _fill_values(step.inputs, values)}) for step in spec.steps
    )
    return Plan(subtasks=steps, answer=_fill_values(spec.answer, values), planner=f"workflow {spec.name}")


def plan_from_agent(name: str, task_input: Json) -> Plan:
    # The input is handed over by reference, never copied into the plan: a user's `${...}` must stay text.
    step = Subtask(id="answer", agent=name, inputs={key: f"${{task.{key}}}" for key in task_input})
    return Plan(subtasks=(step,), answer="${answer}", planner="single agent")


def plan_from_model(
    output: Any, agents: Mapping[str, AgentSpec] | None = None, tools: Mapping[str, ToolSpec] | None = None
) -> Plan:
    """Turn a planning model's JSON into a plan. Raises PlanError with what does not fit.

    The model writes every input as text; where agent or tool wants a number or a truth value it becomes one.
    """
    try:
        written = (Subtask.model_validate(item) for item in output["subtasks"])
        subtasks = tuple(_typed(step, agents or {}, tools or {}) for step in written)
        return Plan(subtasks=subtasks, answer=output.get("answer"), planner="model")
    except (KeyError, TypeError, ValueError) as error:
        raise PlanError(f"the plan does not have the form of a plan: {error}") from None


def _typed(step: Subtask, agents: Mapping[str, AgentSpec], tools: Mapping[str, ToolSpec]) -> Subtask:
    fields = _input_schema(step, agents, tools).get("properties", {})
    inputs = {name: _as_scalar(value, fields.get(name, {})) for name, value in step.inputs.items()}
    return step.model_copy(update={"inputs": inputs})


def _input_schema(step: Subtask, agents: Mapping[str, AgentSpec], tools: Mapping[str, ToolSpec]) -> Json:
    """The schema of what goes in; empty for an unknown name, which is refused elsewhere."""
    if step.agent is not None:
        return agents[step.agent].input if step.agent in agents else {}
    tool = tools.get(step.tool or "")
    return tool.parameters if tool else {}


def _as_scalar(value: Any, field: Json) -> Any:
    """`"180"` as 180 where no text is wanted; anything else as it is, for the schema to judge."""
    if not isinstance(value, str) or "string" in _kinds(field) or not _kinds(field) & _SCALARS:
        return value
    try:
        read = json.loads(value)
    except ValueError:
        return value
    return read if isinstance(read, bool | int | float) else value


def _kinds(field: Json) -> set[str]:
    """The types that a field may have; one without a type may be text."""
    kind = field.get("type", "string")
    return {kind} if isinstance(kind, str) else set(kind)


def _fill_values(value: Any, scope: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        whole = _REFERENCE.fullmatch(value)
        return _look_up(whole, scope) if whole and whole[1] == "values" else value
    if isinstance(value, Mapping):
        return {key: _fill_values(item, scope) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fill_values(item, scope) for item in value]
    return value


def plan_schema(agents: Iterable[str], tools: Iterable[str]) -> Json:
    """JSON schema of a model's plan: only the agents and tools that exist can be written down."""
    base: Json = {
        "id": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,20}$"},
        "with": {"type": "object", "additionalProperties": {"type": "string"}},
    }
    kinds = [
        {
            "type": "object",
            "properties": {"id": base["id"], kind: {"enum": sorted(names)}, "with": base["with"]},
            "required": ["id", kind, "with"],
            "additionalProperties": False,
        }
        for kind, names in (("agent", list(agents)), ("tool", list(tools)))
        if names
    ]
    return {
        "type": "object",
        "properties": {
            "subtasks": {"type": "array", "items": {"anyOf": kinds}, "minItems": 1, "maxItems": 8},
            "answer": {"type": "string"},
        },
        "required": ["subtasks", "answer"],
        "additionalProperties": False,
    }


def takes_text(schema: Json) -> bool:
    """Whether every required input can be written as text, as a model does it; a list or object cannot."""
    known = schema.get("properties", {})
    return all(_kinds(known.get(name, {})) & _SCALARS for name in schema.get("required", []))


def catalogue(agents: Mapping[str, AgentSpec], tools: Mapping[str, ToolSpec]) -> list[Json]:
    """What a planning model is shown: one entry an agent or tool, with what goes in and what comes out."""
    shown = [
        ("agent", spec.name, spec.description, spec.input, spec.output or {}) for spec in agents.values()
    ]
    shown += [("tool", spec.name, spec.description, spec.parameters, {}) for spec in tools.values()]
    return [
        {
            "kind": kind,
            "name": name,
            "description": description.split("\n")[0],
            "inputs": {
                key: "required" if key in schema.get("required", []) else "optional"
                for key in schema.get("properties", {})
            },
            "outputs": list(output.get("properties", {})),
        }
        for kind, name, description, schema, output in shown
    ]


# --- validation -----------------------------------------------------------------------------------------


def problems(
    plan: Plan,
    agents: Mapping[str, AgentSpec],
    tools: Mapping[str, ToolSpec],
    task_input: Iterable[str] | None = None,
) -> list[tuple[str, tuple[str | int, ...]]]:
    """Everything that keeps a plan from running, each with its path in the plan. Empty: it can run."""
    found = [*_names(plan, agents, tools), *_dangling(plan, task_input)]
    if not found and (cycle := _cycle(plan)):
        found.append((f"subtasks wait for each other in a circle: {' -> '.join(cycle)}", ("steps",)))
    return found


def insist(
    plan: Plan,
    agents: Mapping[str, AgentSpec],
    tools: Mapping[str, ToolSpec],
    task_input: Iterable[str] | None = None,
) -> None:
    """Raises PlanError with every reason."""
    if found := problems(plan, agents, tools, task_input):
        raise PlanError("This plan cannot run: " + "; ".join(message for message, _ in found) + ".")


def check_workflow(entry: Entry, agents: Mapping[str, AgentSpec], tools: Mapping[str, ToolSpec]) -> None:
    """Raises ContentError with file and line for the first thing that keeps a workflow from running."""
    spec: WorkflowSpec = entry.spec
    for root, path in references([step.inputs for step in spec.steps] + [spec.answer]):
        if root == "values" and path and path[0] not in spec.values:
            raise entry.yaml.error(f"`${{values.{path[0]}}}`: `values:` has no {path[0]!r}", ("values",))
    inputs = spec.input.get("properties", {})
    for message, where in problems(plan_from_workflow(spec), agents, tools, inputs):
        raise entry.yaml.error(message, where)


def check_task_input(schema_problem: str | None, name: str) -> None:
    """Raises InvalidInput when a workflow's input does not fit its schema."""
    if schema_problem:
        hint = f"`lilliput workflows show {name}` lists its inputs."
        raise InvalidInput(f"Input of workflow {name!r}: {schema_problem}.", hint=hint)


Problem = tuple[str, tuple[str | int, ...]]


def _names(plan: Plan, agents: Mapping[str, AgentSpec], tools: Mapping[str, ToolSpec]) -> Iterator[Problem]:
    if len(plan.subtasks) > MAX_SUBTASKS:
        yield f"{len(plan.subtasks)} subtasks are too many (at most {MAX_SUBTASKS})", ("steps",)
    seen: set[str] = set()
    for index, step in enumerate(plan.subtasks):
        if step.id in seen or step.id in ("task", "values"):
            yield f"the id {step.id!r} is taken", ("steps", index)
        seen.add(step.id)
        if step.agent is not None and step.agent not in agents:
            yield f"step {step.id!r}: no agent is called {step.agent!r}", ("steps", index, "agent")
        elif step.tool is not None and step.tool not in tools:
            yield f"step {step.id!r}: no tool is called {step.tool!r}", ("steps", index, "tool")
        else:
            yield from _inputs(index, step, agents, tools)


def _inputs(
    index: int, step: Subtask, agents: Mapping[str, AgentSpec], tools: Mapping[str, ToolSpec]
) -> Iterator[Problem]:
    schema = _input_schema(step, agents, tools)
    called = step.agent or step.tool
    for name in schema.get("required", []):
        if name not in step.inputs:
            yield f"step {step.id!r}: {called} needs the input {name!r}", ("steps", index, "with")
    for name in step.inputs:
        if name not in schema.get("properties", {}):
            known = ", ".join(schema.get("properties", {})) or "none"
            yield (
                f"step {step.id!r}: {called} has no input {name!r} (it has {known})",
                ("steps", index, "with", name),
            )


def _dangling(plan: Plan, task_input: Iterable[str] | None) -> Iterator[Problem]:
    ids = {step.id for step in plan.subtasks}
    known_inputs = None if task_input is None else set(task_input)
    for index, step in enumerate(plan.subtasks):
        for root, path in references([step.inputs, step.when]):
            yield from _one_dangling(root, path, ids, known_inputs, ("steps", index), step.id)
        for other in step.after:
            if other not in ids:
                yield f"step {step.id!r} waits for {other!r}, which does not exist", ("steps", index, "after")
    for root, path in references(plan.answer):
        yield from _one_dangling(root, path, ids, known_inputs, ("answer",), "answer")


def _one_dangling(
    root: str,
    path: tuple[str, ...],
    ids: set[str],
    known_inputs: set[str] | None,
    where: tuple[str | int, ...],
    step: str,
) -> Iterator[Problem]:
    if root == "task":
        if known_inputs is not None and path and path[0] not in known_inputs:
            yield f"step {step!r} refers to ${{task.{path[0]}}}, which is no input of the task", where
    elif root not in ids:
        yield f"step {step!r} refers to ${{{root}}}, which does not exist", where


def _cycle(plan: Plan) -> list[str]:
    """Ids along one circle, or nothing. Depth-first; grey nodes are on the current path."""
    waits = {step.id: needs(step) for step in plan.subtasks}
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        for other in waits[node]:
            if circle := visit(other, [*path, node]):
                return circle
        done.add(node)
        return []

    return next((circle for node in waits if (circle := visit(node, []))), [])
