"""The same checks as call-tool, on the tool that was chosen. Saying that none fits needs no check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.agent import schema_problem
from orchestrator.kit.arguments import empty_required, invented_number, invented_words, placeholder_in
from orchestrator.kit.toolschema import parameters_of


def check_arguments_fit(inputs: Mapping[str, Any], output: Any) -> str | None:
    if output["name"] is None:
        return None
    schema = _schema(inputs, output)
    return schema_problem(schema, output["arguments"]) or empty_required(output["arguments"], schema)


def check_no_placeholder(inputs: Mapping[str, Any], output: Any) -> str | None:
    return placeholder_in(output["arguments"])


def check_numbers_from_text(inputs: Mapping[str, Any], output: Any) -> str | None:
    return invented_number(output["arguments"], _schema(inputs, output), inputs["text"])


def check_words_from_text(inputs: Mapping[str, Any], output: Any) -> str | None:
    return invented_words(output["arguments"], _schema(inputs, output), inputs["text"])


def _schema(inputs: Mapping[str, Any], output: Any) -> dict[str, Any]:
    chosen = next((tool for tool in inputs["tools"] if tool["name"] == output["name"]), None)
    return parameters_of(chosen) if chosen else {"not": {}}
