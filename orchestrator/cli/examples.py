"""`lilliput agents test`: an agent's own examples, run through the controller like any task.

    # agents/<name>/examples.yaml
    - name: a jam, in Dutch
      input: {text: "Er zit papier klem.", labels: [...]}
      expect: {label: printer, scores.0.label: printer}    # by dotted path; the rest of the answer is free

Where the answer is no object, `expect` is the whole answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from orchestrator.cli.console import first_line, print_table, seconds, to_people, to_stdout
from orchestrator.cli.door import Door
from orchestrator.errors import ContentError
from orchestrator.types import Json, Record, RunResult, Task
from orchestrator.yamlfile import parse_yaml

if TYPE_CHECKING:
    from orchestrator.controller import Controller


_NOTHING = object()


class Example(Record):
    name: str
    input: Json
    expect: Any


class Examples(Record):
    examples: tuple[Example, ...] = Field(min_length=1)


class Tried(Record):
    """One example, and what is wrong with what came out; None: nothing is."""

    agent: str
    example: str
    duration_s: float | None
    problem: str | None
    run_id: str


def try_examples(door: Door, name: str | None) -> list[Tried]:
    """The examples of one agent, or of all that have some. Raises UserError before anything runs."""
    import anyio

    if name:
        door.workspace.agent(name)
    agents = door.workspace.agents
    files = {agent: agents[agent].folder / "examples.yaml" for agent in ([name] if name else agents)}
    found = {agent: read_examples(file) for agent, file in files.items() if name or file.is_file()}
    return anyio.run(_try_all, door, found)


def read_examples(file: Path) -> tuple[Example, ...]:
    """Raises ContentError with the line."""
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise ContentError("there are no examples to test", file=file) from error
    # The file is a list; under a key of its own it is a mapping, whose lines are counted from the second.
    return parse_yaml(f"examples:\n{text}", file, first_line=0).validate(Examples).examples


async def _try_all(door: Door, found: Mapping[str, tuple[Example, ...]]) -> list[Tried]:
    from orchestrator.controller import open_controller

    tried: list[Tried] = []
    async with open_controller(door.workspace, door.settings) as controller:
        for agent, examples in found.items():
            for example in examples:
                tried.append(await _try(controller, agent, example))
                to_people().print(_line(tried[-1]), markup=False)
    return tried


async def _try(controller: Controller, agent: str, example: Example) -> Tried:
    task = Task(input=example.input, agent=agent, route=controller.settings.route)
    result = await controller.run_to_end(task)
    return Tried(
        agent=agent,
        example=example.name,
        duration_s=result.usage.duration_s,
        problem=_problem(example, result),
        run_id=result.run_id,
    )


def _problem(example: Example, result: RunResult) -> str | None:
    if result.status != "completed":
        return result.error or result.status
    return difference(example.expect, result.answer)


def difference(expected: Any, answer: Any) -> str | None:
    """The first place where the answer is not as expected."""
    if not isinstance(expected, Mapping):
        return None if expected == answer else f"the answer is {answer!r}, expected {expected!r}"
    for path, value in expected.items():
        found = _at(answer, path)
        if found != value:
            told = "not there" if found is _NOTHING else repr(found)
            return f"{path} is {told}, expected {value!r}"
    return None


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list | tuple) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _NOTHING
    return value


def _line(item: Tried) -> str:
    return f"{'✗' if item.problem else '✓'} {item.agent}: {item.example}, {seconds(item.duration_s)}"


def print_tried(tried: list[Tried]) -> None:
    """One line an agent, then each example that did not come out."""
    agents = dict.fromkeys(item.agent for item in tried)
    rows = []
    for agent in agents:
        own = [item for item in tried if item.agent == agent]
        failed = [item for item in own if item.problem]
        rows.append((agent, len(own) - len(failed), len(failed)))
    print_table(("agent", "passed", "failed"), rows, right=("passed", "failed"))
    for item in tried:
        if item.problem:
            line = f"✗ {item.agent}: {item.example}: {first_line(item.problem, 200)}"
            to_stdout().print(line, style="red", markup=False)
