"""One line a tool, and the output held to their names; that steps must not wait in a circle is a check."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.types import Answer

_STEPS, _AFTER, _CHARACTERS = 8, 3, 160


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    name = {"enum": list(dict.fromkeys(tool["name"] for tool in inputs["tools"]))}
    step = {
        "type": "object",
        "properties": {"tool": name, "after": {"type": "array", "maxItems": _AFTER, "items": name}},
        "required": ["tool", "after"],
        "additionalProperties": False,
    }
    most = min(_STEPS, len(name["enum"]))
    schema = {
        "type": "object",
        "properties": {"steps": {"type": "array", "minItems": 1, "maxItems": most, "items": step}},
        "required": ["steps"],
        "additionalProperties": False,
    }
    listing = "\n".join(_line(tool) for tool in inputs["tools"])
    written, confidence = await call.generate_json(
        messages_of(call.spec, {**inputs, "listing": listing}), schema
    )
    return Answer(output={"steps": once(written["steps"])}, confidence=confidence)


def once(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Only the first step of each tool: a JSON schema cannot forbid a model to repeat itself."""
    kept: dict[str, dict[str, Any]] = {}
    for step in steps:
        kept.setdefault(step["tool"], step)
    return list(kept.values())


def _line(tool: dict[str, Any]) -> str:
    description = " ".join((tool.get("description") or "").split())
    return f"- {tool['name']}: {description[:_CHARACTERS]}"
