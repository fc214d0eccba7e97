"""What has a form of its own. Names, places and organisations have none and are not looked for."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.agent import Call
from orchestrator.kit.spans import Span, part_of
from orchestrator.types import Answer

# In this order: what was found first keeps its place.
_PATTERNS = {
    "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "url": r"https?://[^\s,;]+|www\.[^\s,;]+",
    "iban": r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,26}\b",
    "credit_card": r"\b(?:\d[ -]?){15}\d\b",
    "ip_address": r"\b(?:\d{1,3}\.){3}\d{1,3}\b",
    "id_number": r"\b\d{3}-\d{2}-\d{4}\b",
    "date": r"\b\d{1,2}[/-]\d{1,2}[/-]\d{4}\b|\b\d{4}-\d{2}-\d{2}\b",
    "phone": r"(?:\+\d{1,3} ?)?\(?\b\d[\d ().-]{5,14}\d\b",
}
_COMPILED = {kind: re.compile(pattern) for kind, pattern in _PATTERNS.items()}


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    text = inputs["text"]
    spans = find(text)
    return Answer(output={"spans": [part_of(text, *span) for span in spans]})


def find(text: str) -> list[Span]:
    found: list[Span] = []
    for kind, pattern in _COMPILED.items():
        for match in pattern.finditer(text):
            if all(match.end() <= other.start or other.end <= match.start() for other in found):
                found.append(Span(kind, match.start(), match.end()))
    return sorted(found, key=lambda span: span.start)
