"""Ask for the arguments only: the name is known, and every token that is not decoded is time saved.

The token budget follows the text and the number of arguments. A small model that starts to repeat itself
then fails fast, as a cut-off answer, and the controller goes on to the next model.
"""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.kit.arguments import settle
from orchestrator.kit.toolschema import describe, parameters_of
from orchestrator.types import Answer

_TOKENS_PER_ARGUMENT = 24
# Three characters a token is on the safe side; digits and Dutch words take more tokens than English ones.
_CHARACTERS_PER_TOKEN = 3


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    tool, text = inputs["tool"], inputs["text"]
    schema = parameters_of(tool)
    if not schema["properties"]:
        return Answer(output={"name": tool["name"], "arguments": {}}, reason="the tool takes no arguments")
    shown = {**inputs, "tool": {"description": "", **tool}, "arguments": describe(schema)}
    budget = _TOKENS_PER_ARGUMENT * len(schema["properties"]) + len(text) // _CHARACTERS_PER_TOKEN
    written, confidence = await call.generate_json(
        messages_of(call.spec, shown), schema, max_tokens=max(budget, 64)
    )
    output = {"name": tool["name"], "arguments": settle(written, schema, text)}
    return Answer(output=output, confidence=confidence)
