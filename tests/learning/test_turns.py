"""Prompts to learn from are those in service, made by the agent's own code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.learning.examples import Example
from orchestrator.learning.turns import _turn, heard_request
from orchestrator.types import GenerateRequest, Learns, ModelCard
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


class Wrote:
    """In the place of a generator: what it is asked to learn, as text."""

    card = CARD

    def turn(self, request: GenerateRequest, answer: str) -> tuple[list[int], list[int]]:
        return [1], [ord(letter) for letter in answer]


def written(turn: Any) -> str | None:
    return turn and "".join(map(chr, turn.answer))


@pytest.mark.parametrize(
    ("under", "expected"),
    [("calls", '{"calls": [{"name": "book_room", "arguments": {"room": "blue"}}]}'), (None, None)],
    ids=["under its name", "as it is, which the schema does not allow"],
)
async def test_an_answer_is_learnt_as_the_model_writes_it(under: str | None, expected: str | None) -> None:
    calls = [{"name": "book_room", "arguments": {"room": "blue"}}]
    example = Example(text="the blue room", answer=calls, by="file", origin="f:1", inputs={"tools": [ROOM]})
    learns = Learns(kind="json", answer="calls", under=under)
    assert written(await _turn(agent("use-tools"), learns, {}, example, Wrote())) == expected  # type: ignore[arg-type]


async def test_what_the_schema_does_not_allow_is_not_learnt() -> None:
    learns = agent("use-tools").spec.learns
    assert learns is not None
    for arguments in ({"room": 5}, {}, {"room": "blue", "floor": "2"}):
        calls = [{"name": "book_room", "arguments": arguments}]
        example = Example(text="blue", answer=calls, by="file", origin="f:1", inputs={"tools": [ROOM]})
        assert await _turn(agent("use-tools"), learns, {}, example, Wrote()) is None  # type: ignore[arg-type]
