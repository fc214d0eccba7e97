"""How well a new tool is chosen and filled in, before anybody relies on it: tried, not trained.

    the reference model invents requests, each with the call that it stands for   (agent write-request)
    those whose text does not hold the values of its own call are left out
    the product chooses among all tools and fills in the call                     (workflow tool-use)

The requests are invented by a model, so that the figures say whether the tool's description works beside the
others, not how often your users will be served. Nothing is learnt, and no tool is called.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from orchestrator.bench.statistics import Interval, wilson
from orchestrator.controller import Controller
from orchestrator.errors import UserError
from orchestrator.kit.grounding import occurs, values_in
from orchestrator.kit.toolschema import parameters_of
from orchestrator.learning.gate import Heard
from orchestrator.records import utc_now
from orchestrator.types import Json, Record, RunResult, Task, ToolSpec

_STYLES = (
    "as a short chat message",
    "as a polite mail of two sentences",
    "in Dutch, as a short chat message",
    "in a hurry, without a greeting",
    "with a detail in it that does not matter",
    "in Dutch, as a polite mail",
)
_SHOWN = 3
_BLANK = re.compile(r"\[[^\]\d]{3,}\]")  # "[Your Name]"


class Request(NamedTuple):
    text: str
    arguments: Json


class Miss(Record):
    """A request that did not become its call. `called` None: no tool was called."""

    text: str
    wanted: Json
    called: Json | None


class ToolCard(Record):
    """What came of trying a tool. `invented`: requests that were made; `n`: those that could be used.

    `chosen` and `called` count requests for which the tool was chosen, and for which the whole call is right.
    `took_instead`: tools that were chosen for its requests. Times and joules are a request's.
    """

    tool: str
    description: str
    among: int
    invented: int
    n: int
    chosen: int
    called: int
    took_instead: Mapping[str, int]
    latency_p50_s: float | None
    energy_j: float | None
    energy_source: str | None
    made_by: str
    misses: tuple[Miss, ...]
    machine: str
    made_at: str

    @property
    def chosen_interval(self) -> Interval:
        return wilson(self.chosen, self.n)

    @property
    def called_interval(self) -> Interval:
        return wilson(self.called, self.n)


async def try_tool(
    controller: Controller, tool: ToolSpec, others: Sequence[ToolSpec], many: int, heard: Heard, machine: str
) -> ToolCard:
    """Raises UserError where no usable request came of it."""
    requests, made_by = await _invented(controller, tool, many, heard)
    if not requests:
        raise UserError(
            f"The model invented no usable request for {tool.name!r}.",
            hint="Say in its docstring what it does, and in its arguments' descriptions what they hold.",
        )
    tools = [_shown(spec) for spec in (tool, *others)]
    results = [await _tried(controller, request, tools) for request in requests]
    calls = [_call_of(result) for result in results]
    right = [
        call is not None and call["name"] == tool.name and _same(call["arguments"], request.arguments, tool)
        for call, request in zip(calls, requests, strict=True)
    ]
    names = [call["name"] if call else None for call in calls]
    seconds = [r.usage.duration_s for r in results if r.usage.duration_s is not None]
    joules = [r.usage.energy_j for r in results if r.usage.energy_j is not None]
    return ToolCard(
        tool=tool.name,
        description=tool.description,
        among=len(tools),
        invented=many,
        n=len(requests),
        chosen=names.count(tool.name),
        called=sum(right),
        took_instead=Counter(name for name in names if name not in (tool.name, None)),
        latency_p50_s=statistics.median(seconds) if seconds else None,
        energy_j=sum(joules) / len(joules) if joules else None,
        energy_source=results[0].usage.energy_source,
        made_by=made_by,
        misses=tuple(_misses(requests, calls, right))[:_SHOWN],
        machine=machine,
        made_at=utc_now(),
    )


def is_usable(request: Request, tool: ToolSpec) -> bool:
    """Every value that is not one of a given few stands in the text, which has no blank left to fill in."""
    if _BLANK.search(request.text):
        return False
    fields = parameters_of(_shown(tool))["properties"]
    free = {name: value for name, value in request.arguments.items() if not _is_given(fields.get(name, {}))}
    return all(occurs(value, request.text) for value in values_in(free) if not isinstance(value, bool))


async def _invented(
    controller: Controller, tool: ToolSpec, many: int, heard: Heard
) -> tuple[list[Request], str]:
    """Each text once, and who made them."""
    found: dict[str, Request] = {}
    made_by = "no model"
    for number in range(many):
        given = {
            "tool": _shown(tool),
            "style": _STYLES[number % len(_STYLES)],
            "number": number,
        }
        result = await controller.run_to_end(Task(input=given, agent="write-request", route="all-reference"))
        heard(number + 1, many)
        if result.status != "completed":
            continue
        made_by = next(iter(result.usage_by_model), made_by)
        request = Request(result.answer["text"], result.answer["arguments"])
        if is_usable(request, tool):
            found.setdefault(request.text, request)
    return list(found.values()), made_by


async def _tried(controller: Controller, request: Request, tools: Sequence[Json]) -> RunResult:
    task = Task(input={"text": request.text, "tools": list(tools)}, workflow="tool-use")
    return await controller.run_to_end(task)


def _call_of(result: RunResult) -> Json | None:
    answer = result.answer if isinstance(result.answer, Mapping) else {}
    call: Json | None = answer.get("call")
    return call


def _same(called: Mapping[str, Any], wanted: Mapping[str, Any], tool: ToolSpec) -> bool:
    """Case and spacing of words may differ; an argument that was left out has its default, or no value."""
    fields = tool.parameters.get("properties", {})
    usual = {name: field["default"] for name, field in fields.items() if "default" in field}
    return bool(_plain({**usual, **called}) == _plain({**usual, **wanted}))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.split()).casefold()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items() if each is not None}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _misses(requests: Sequence[Request], calls: Sequence[Json | None], right: Sequence[bool]) -> list[Miss]:
    return [
        Miss(text=request.text, wanted=request.arguments, called=call)
        for request, call, good in zip(requests, calls, right, strict=True)
        if not good
    ]


def _shown(tool: ToolSpec) -> Json:
    return {"name": tool.name, "description": tool.description, "parameters": tool.parameters}


def _is_given(field: Mapping[str, Any]) -> bool:
    return "enum" in field or "const" in field
