"""One line a function, and the output held to their names: what a generator needs to choose, and no more.

That is also what has to be given for it, since "none fits" may mean that the text does not say it.
"""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    names = [tool["name"] for tool in inputs["tools"]]
    choices = [*dict.fromkeys(names), *([None] if inputs.get("may_be_none") else [])]
    schema = {
        "type": "object",
        "properties": {"tool": {"enum": choices}},
        "required": ["tool"],
        "additionalProperties": False,
    }
    limit = call.spec.options["description_characters"]
    listing = "\n".join(_line(tool, limit) for tool in inputs["tools"])
    output, confidence = await call.generate_json(
        messages_of(call.spec, {**inputs, "listing": listing}), schema
    )
    return Answer(output=output, confidence=confidence)


def _line(tool: dict[str, Any], limit: int) -> str:
    description = " ".join((tool.get("description") or "").split())
    needed = ", ".join((tool.get("parameters") or {}).get("required") or [])
    return f"- {tool['name']}({needed}): {description[:limit]}"
