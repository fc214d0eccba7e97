"""Ask the language detector about the words only: links, addresses and numbers belong to no language."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.agent import Call
from orchestrator.types import Answer

_NOT_WORDS = re.compile(r"https?://\S+|\S+@\S+|\[[A-Z]+_\d+\]|[\d_]+")


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    words = " ".join(_NOT_WORDS.sub(" ", inputs["text"]).split())
    if not any(character.isalpha() for character in words):
        unknown = {"language": "und", "probability": 0.0}
        return Answer(output=unknown, abstained=True, confidence=0.0, reason="the text has no words")
    found = await call.detect_language(words)
    output = {"language": found.code, "probability": round(found.probability, 4)}
    return Answer(output=output, confidence=found.probability)
