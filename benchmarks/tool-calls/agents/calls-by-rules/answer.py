"""What rules can do: the tool with most words in common, and its arguments as they come in the text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orchestrator.agent import Call
from orchestrator.kit.toolschema import parameters_of
from orchestrator.kit.words import coverage, split_name, word_set
from orchestrator.types import Answer

_SENTENCE = re.compile(r"(?<=[.?!])\s+")
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_QUOTED = re.compile(r"[\"“']([^\"”']{1,80})[\"”'](?!\w)")
_NAME = re.compile(r"(?<=[a-z,:] )(?:[A-Z][\w-]*)(?: [A-Z][\w-]*)*")


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    parts = _SENTENCE.split(inputs["text"].strip()) if inputs.get("several") else [inputs["text"]]
    calls: list[dict[str, Any]] = []
    for part in parts:
        tool = best_tool(part, inputs["tools"])
        if all(made["name"] != tool["name"] for made in calls):
            calls.append({"name": tool["name"], "arguments": fill_in(part, parameters_of(tool))})
    return Answer(output={"calls": calls})


def best_tool(text: str, tools: list[dict[str, Any]]) -> dict[str, Any]:
    said = word_set(text)

    def overlap(tool: Mapping[str, Any]) -> float:
        about = word_set(f"{split_name(tool['name'])} {tool.get('description') or ''}")
        return coverage(about, said) + coverage(said, about)

    return max(tools, key=overlap)


def fill_in(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Each required argument takes the next value of its kind; one for which there is none is left out."""
    numbers = [float(found.replace(",", "")) for found in _NUMBER.findall(text)]
    strings = [*_QUOTED.findall(text), *_NAME.findall(text)]
    made: dict[str, Any] = {}
    for name in schema.get("required", []):
        field = schema["properties"][name]
        if "enum" in field:
            made[name] = next((c for c in field["enum"] if str(c).lower() in text.lower()), field["enum"][0])
        elif field.get("type") in ("integer", "number") and numbers:
            number = numbers.pop(0)
            made[name] = int(number) if field["type"] == "integer" else number
        elif field.get("type") == "string" and strings:
            made[name] = strings.pop(0)
        elif field.get("type") == "boolean":
            made[name] = True
    return made
