"""As use-tool, for a text that asks for several things: the output is held to calls of the given tools."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.kit.arguments import settle
from orchestrator.kit.toolschema import call_schema, describe, parameters_of
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    tools, text = inputs["tools"], inputs["text"]
    listing = "\n\n".join(map(_shown, tools))
    # A model that repeats itself is stopped by the number of tools: each is called once.
    calls = {
        "type": "array",
        "minItems": 1,
        "maxItems": len(tools),
        "items": {"anyOf": [*map(call_schema, tools)]},
    }
    schema = {
        "type": "object",
        "properties": {"calls": calls},
        "required": ["calls"],
        "additionalProperties": False,
    }
    written, confidence = await call.generate_json(
        messages_of(call.spec, {**inputs, "listing": listing}), schema
    )
    schemas = {tool["name"]: parameters_of(tool) for tool in tools}
    made = [
        {"name": one["name"], "arguments": settle(one["arguments"], schemas[one["name"]], text)}
        for one in written["calls"]
    ]
    return Answer(output={"calls": made}, confidence=confidence)


def _shown(tool: dict[str, Any]) -> str:
    head = f"Function {tool['name']}: {tool.get('description') or ''}"
    schema = parameters_of(tool)
    return f"{head}\n{describe(schema)}" if schema["properties"] else f"{head}\nNo arguments."
