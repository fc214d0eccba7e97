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
    """Only required inputs, if there are any: optional ones cost tokens and tempt a model to fill them in."""
    inputs = entry.get("inputs", {})
    needed = [name for name, how in inputs.items() if how == "required"] or list(inputs)
    gives = ", ".join(entry.get("outputs", ()))
    head = f"- {entry['kind']} {entry['name']}({', '.join(needed)})" + (f" -> {gives}" if gives else "")
    return f"{head}: {entry.get('description', '')}"
