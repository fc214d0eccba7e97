"""The checks of use-tool, on every call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.agent import schema_problem
from orchestrator.kit.arguments import empty_required, invented_number, invented_words, placeholder_in
from orchestrator.kit.toolschema import parameters_of

Problem = Callable[[Mapping[str, Any], dict[str, Any]], str | None]


def check_arguments_fit(inputs: Mapping[str, Any], output: Any) -> str | None:
    return _first(
        inputs, output, lambda given, schema: schema_problem(schema, given) or empty_required(given, schema)
    )


def check_no_placeholder(inputs: Mapping[str, Any], output: Any) -> str | None:
    return _first(inputs, output, lambda given, schema: placeholder_in(given))


def check_numbers_from_text(inputs: Mapping[str, Any], output: Any) -> str | None:
    return _first(inputs, output, lambda given, schema: invented_number(given, schema, inputs["text"]))


def check_words_from_text(inputs: Mapping[str, Any], output: Any) -> str | None:
    return _first(inputs, output, lambda given, schema: invented_words(given, schema, inputs["text"]))


def check_each_once(inputs: Mapping[str, Any], output: Any) -> str | None:
    """The same call twice is a model that repeats itself."""
    calls = output["calls"]
    twice = [call["name"] for place, call in enumerate(calls) if call in calls[:place]]
    return f"{twice[0]} is called twice with the same arguments" if twice else None


def _first(inputs: Mapping[str, Any], output: Any, problem: Problem) -> str | None:
    schemas = {tool["name"]: parameters_of(tool) for tool in inputs["tools"]}
    for call in output["calls"]:
        if said := problem(call["arguments"], schemas.get(call["name"], {"not": {}})):
            return f"{call['name']}: {said}"
    return None
