"""The model writes the middle only; greeting and closing are fixed words. So is a reply without a passage:
where nothing is known there is nothing to write, and a small model would fill the gap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.types import Answer

_SPARE_TOKENS, _CHARACTERS_PER_TOKEN = 40, 3


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    frames: Mapping[str, Any] = call.spec.options["frames"]
    frame = frames.get(inputs["language"], frames["en"])
    if not inputs.get("passage"):
        reply = _framed(frame, frame["unknown"])
        return Answer(output={"reply": reply}, reason="there is no passage to rest on")
    languages = call.spec.options["languages"]
    name = languages.get(inputs["language"], "the language of the message")
    messages = messages_of(call.spec, {**inputs, "language_name": name})
    # A reply to the point is hardly longer than what it rests on; a model that rambles is cut off soon.
    budget = _SPARE_TOKENS + len(inputs["passage"]) // _CHARACTERS_PER_TOKEN
    generation = await call.generate(messages, max_tokens=budget)
    return Answer(output={"reply": _framed(frame, generation.text.strip())})


def _framed(frame: Mapping[str, str], middle: str) -> str:
    return f"{frame['greeting']}\n\n{middle}\n\n{frame['closing']}"
