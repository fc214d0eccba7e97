"""Marked parts as fields. A receipt names its date and its total more than once, its address in pieces."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call
from orchestrator.types import Answer

FIELDS = ("company", "date", "address", "total")


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    found = {name: [part["text"] for part in inputs["spans"] if part["kind"] == name] for name in FIELDS}
    first = {name: next(iter(parts), None) for name, parts in found.items()}
    return Answer(output={**first, "address": max(found["address"], key=len, default=None)})
