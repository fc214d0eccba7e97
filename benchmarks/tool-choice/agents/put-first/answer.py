"""A ranking with one pick is still a ranking: the pick, then the others in their order."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    others = [name for name in inputs["names"] if name != inputs["name"]]
    return Answer(output={"names": [inputs["name"], *others]})
