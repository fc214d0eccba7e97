"""Marked parts as fields. A receipt names its date and its total more than once, its address in pieces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orchestrator.agent import Call
from orchestrator.types import Answer

FIELDS = ("company", "date", "address", "total")
_NUMBERS = ("date", "total")
# A tagger reads 16.50 as three words, and may mark one of them.
_WHOLE = re.compile(r"\w+(?:[-/.,]\w+)*")


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    text, parts = inputs["text"], inputs["spans"]
    found = {name: [_words(text, part) for part in parts if part["kind"] == name] for name in FIELDS}
    first = {name: next(iter(words), None) for name, words in found.items()}
    return Answer(output={**first, "address": max(found["address"], key=len, default=None)})


def _words(text: str, part: Mapping[str, Any]) -> str:
    """The part; where it is a date or an amount, with the rest of each number that it cuts."""
    start, end = part["start"], part["end"]
    if part["kind"] in _NUMBERS:
        cut = [m for m in _WHOLE.finditer(text) if m.start() < end and start < m.end()]
        start, end = min([start, *(m.start() for m in cut)]), max([end, *(m.end() for m in cut)])
    return text[start:end]
