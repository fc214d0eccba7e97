"""A marked part is an instruction. How sure the marking was is not told, so the score is all or nothing."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    injected = bool(inputs["spans"])
    return Answer(output={"injected": injected, "score": float(injected)})
