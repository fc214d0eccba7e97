"""Prompts to learn from are those in service, made by the agent's own code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.learning.turns import heard_request
from orchestrator.types import ModelCard
from tests.agents.crew import agent, ask, fake_card, session

CARD = ModelCard.model_validate(fake_card())
ROOM = {
    "name": "book_room",
    "description": "Book a room.",
    "parameters": {"type": "object", "properties": {"room": {"type": "string"}}, "required": ["room"]},
}
INPUTS = {"text": "the blue room please", "tool": ROOM}


async def test_a_prompt_to_learn_from_is_that_in_service() -> None:
    model = session(lambda request: json.dumps({"room": "blue room"}))
    await ask("call-tool", INPUTS, model)
    heard = await heard_request(agent("call-tool"), INPUTS, CARD)
    assert heard is not None
    assert heard.messages == model.requests[0].messages
    assert heard.json_schema == model.requests[0].json_schema


@pytest.mark.parametrize(
    "inputs", [{"text": "tell the time", "tool": {"name": "now", "parameters": {"type": "object"}}}]
)
async def test_where_an_agent_asks_nobody_there_is_nothing_to_learn(inputs: dict[str, Any]) -> None:
    assert await heard_request(agent("call-tool"), inputs, CARD) is None
