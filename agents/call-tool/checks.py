"""Catch the wrong calls that can be seen without knowing the right one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.agent import schema_problem
from orchestrator.kit.arguments import empty_required, invented_number, invented_words, placeholder_in
from orchestrator.kit.toolschema import parameters_of


def check_arguments_fit(inputs: Mapping[str, Any], output: Any) -> str | None:
    schema = parameters_of(inputs["tool"])
    return schema_problem(schema, output["arguments"]) or empty_required(output["arguments"], schema)


def check_no_placeholder(inputs: Mapping[str, Any], output: Any) -> str | None:
    return placeholder_in(output["arguments"])


def check_numbers_from_text(inputs: Mapping[str, Any], output: Any) -> str | None:
    return invented_number(output["arguments"], parameters_of(inputs["tool"]), inputs["text"])


def check_words_from_text(inputs: Mapping[str, Any], output: Any) -> str | None:
    return invented_words(output["arguments"], parameters_of(inputs["tool"]), inputs["text"])
