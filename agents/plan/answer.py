"""Show the catalogue as one line an entry, and let the schema hold the model to names that exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    listing = "\n".join(_line(entry) for entry in inputs["catalogue"])
    messages = messages_of(call.spec, {**inputs, "listing": listing})
    output, confidence = await call.generate_json(messages, inputs["schema"])
    return Answer(output=output, confidence=confidence)


def _line(entry: Mapping[str, Any]) -> str:
    """Only required inputs: optional ones cost tokens and tempt a small model to fill them in."""
    needed = ", ".join(name for name, how in entry.get("inputs", {}).items() if how == "required")
    return f"- {entry['kind']} {entry['name']}({needed}): {entry.get('description', '')}"
