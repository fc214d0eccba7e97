"""An answer that is not in the text was made up, and counts as none.

It then claims no confidence: with another model to ask, that one is asked; with none, the text does not tell.
"""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.kit.amounts import parse_amount
from orchestrator.kit.grounding import number_occurs, occurs
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    written, confidence = await call.generate_json(messages_of(call.spec, inputs), call.spec.output or {})
    if stands_in(written["answer"], inputs["text"]):
        return Answer(output=written, confidence=confidence)
    reason = f"{written['answer']!r} is not in the text"
    return Answer(output={"answer": None}, confidence=0.0, reason=reason)


def stands_in(said: str | None, text: str) -> bool:
    """In the same words, or an amount in any notation."""
    amount = parse_amount(said) if said else None
    return (amount is not None and number_occurs(amount, text)) or occurs(said, text)
