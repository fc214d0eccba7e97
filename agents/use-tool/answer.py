"""Everything in one call: all tools in the prompt, and the output held to a call of one of them, or to none.

This is the reference way that the crew of choose-tool and call-tool is judged against, so it gets the same
care: the same wording, the same one-line arguments, the same schemas and the same settling of arguments.
"""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.kit.arguments import settle
from orchestrator.kit.toolschema import call_schema, describe, parameters_of
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    tools, text = inputs["tools"], inputs["text"]
    listing = "\n\n".join(_shown(tool) for tool in tools)
    messages = messages_of(call.spec, {**inputs, "listing": listing})
    written, confidence = await call.generate_json(messages, {"anyOf": [*map(call_schema, tools), _NONE]})
    if written["name"] is None:
        output: dict[str, Any] = {"name": None, "arguments": {}}
        # Not an abstention: "none fits" is a claim like any other, and is held to the confidence.
        return Answer(output=output, confidence=confidence, reason="no tool fits")
    schema = parameters_of(next(tool for tool in tools if tool["name"] == written["name"]))
    output = {"name": written["name"], "arguments": settle(written["arguments"], schema, text)}
    return Answer(output=output, confidence=confidence)


_NONE = {
    "type": "object",
    "properties": {"name": {"type": "null"}},
    "required": ["name"],
    "additionalProperties": False,
}


def _shown(tool: dict[str, Any]) -> str:
    head = f"Function {tool['name']}: {tool.get('description') or ''}"
    schema = parameters_of(tool)
    return f"{head}\nArguments:\n{describe(schema)}" if schema["properties"] else f"{head}\nNo arguments."
