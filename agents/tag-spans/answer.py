"""A specialist that was trained for these kinds tags the words, where there is one; else a generator quotes.

The generator quotes, code finds the places: small models cannot count characters.

A quote that is not in the text is dropped, and the answer then claims no confidence: with another model
to ask, that one is asked; with none, what was found still stands.
"""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.kit.spans import locate, part_of, quoted
from orchestrator.runtimes.base import Tagger
from orchestrator.types import AgentSpec, Answer, Json, Message

_MOST_SPANS, _TOKENS_PER_SPAN = 12, 16


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    return await (_tagged if call.offers(Tagger) else _quoted)(inputs, call)


async def _tagged(inputs: dict[str, Any], call: Call) -> Answer:
    text = inputs["text"]
    parts, sure = await call.tag(text, inputs["kinds"])
    found = [part_of(text, part.kind, part.start, part.end) for part in parts]
    return Answer(output={"spans": found}, confidence=sure)


async def _quoted(inputs: dict[str, Any], call: Call) -> Answer:
    text, kinds = inputs["text"], list(dict.fromkeys(inputs["kinds"]))
    # Quotes cannot be longer than the text; kinds and brackets come on top, for as many as there may be.
    budget = _MOST_SPANS * _TOKENS_PER_SPAN + len(text) // 2
    written, confidence = await call.generate_json(
        _messages(call.spec, inputs), schema_of(kinds, len(text)), max_tokens=budget
    )
    quotes = [(kind, words) for part in written["spans"] for kind, words in part.items()]
    spans, lost = locate(text, quotes)
    found = [part_of(text, *span) for span in spans]
    reason = f"{len(lost)} quotes are not in the text" if lost else None
    return Answer(output={"spans": found}, confidence=0.0 if lost else confidence, reason=reason)


def _messages(spec: AgentSpec, inputs: Json) -> list[Message]:
    """Each example is a turn of the conversation, as a text that was asked about and answered before.

    In one prompt with the question they made models mark too little: on ten development rows of SNIPS the
    1.5B reached a slot F1 of 0.64 so, and 0.79 with turns.
    """
    system, asked = messages_of(spec, inputs)
    turns = []
    for example in inputs.get("examples") or []:
        before = messages_of(spec, {**inputs, "text": example["text"]})[-1]
        turns += [before, Message(role="assistant", content=example["label"] or quoted("", ()))]
    return [system, *turns, asked]


def schema_of(kinds: list[str], longest: int) -> Json:
    """One object with one key a span: half the tokens of `{"kind": …, "text": …}`."""
    words = {"type": "string", "minLength": 1, "maxLength": max(longest, 1)}
    one_of = [
        {"type": "object", "properties": {kind: words}, "required": [kind], "additionalProperties": False}
        for kind in kinds
    ]
    spans = {"type": "array", "maxItems": _MOST_SPANS, "items": {"anyOf": one_of}}
    return {
        "type": "object",
        "properties": {"spans": spans},
        "required": ["spans"],
        "additionalProperties": False,
    }
