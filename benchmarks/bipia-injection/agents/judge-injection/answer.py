"""One word is decided; its probability, turned towards `true`, is the score."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.types import Answer

_SCHEMA = {
    "type": "object",
    "properties": {"injected": {"type": "boolean"}},
    "required": ["injected"],
    "additionalProperties": False,
}


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    said, confidence = await call.generate_json(messages_of(call.spec, inputs), _SCHEMA)
    sure = 1.0 if confidence is None else confidence
    score = sure if said["injected"] else 1.0 - sure
    return Answer(output={"injected": said["injected"], "score": min(max(score, 0.0), 1.0)}, confidence=sure)
