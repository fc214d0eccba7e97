"""Examples as turns of a conversation: exactly what the agent shows a model, and what it should have written.

The agent's own code makes the prompt. It is asked with a listener in the place of a model, which keeps the
request and answers nothing; so prompts in training are those in service, whatever an `answer.py` does.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import jsonschema

from orchestrator.agent import Agent, Call
from orchestrator.errors import UserError
from orchestrator.learning.examples import Example
from orchestrator.learning.generator_training import Turn
from orchestrator.runtimes.base import LoadOptions, OnText
from orchestrator.runtimes.generation import NativeGenerator
from orchestrator.runtimes.registry import load_session
from orchestrator.settings import Settings
from orchestrator.store import ModelStore
from orchestrator.types import GenerateRequest, Generation, Json, Learns, ModelCard


async def turns_of(
    agent: Agent,
    learns: Learns,
    fixed: Json,
    examples: Sequence[Example],
    base: str,
    max_tokens: int,
    *,
    store: ModelStore,
    settings: Settings,
) -> list[Turn]:
    """Those that fit into `max_tokens`.

    Left out are examples for which the agent asks no model, and answers that the schema of its request does
    not allow: a model that is held to it could not write them. Raises UserError where none is left, or for a
    base that does not write.
    """
    card = store.cards[base]
    session = load_session(card, LoadOptions(folder=store.folder(base), threads=settings.threads))
    try:
        if not isinstance(session, NativeGenerator):
            raise UserError(f"{base} does not write.", hint="Name a generator: lilliput models list")
        found = [await _turn(agent, learns, fixed, example, session) for example in examples]
    finally:
        session.close()
    turns = [turn for turn in found if turn and len(turn.prompt) + len(turn.answer) <= max_tokens]
    if not turns:
        raise UserError(
            f"None of {len(examples)} examples fits into {max_tokens} tokens and the schema of its request.",
            hint="Raise `max_tokens` in the recipe, or look at the answers in the file.",
        )
    return turns


async def _turn(
    agent: Agent, learns: Learns, fixed: Json, example: Example, session: NativeGenerator
) -> Turn | None:
    request = await heard_request(agent, example.as_input(learns, fixed), session.card)
    written = {learns.under: example.answer} if learns.under else example.answer
    if request is None or not _allows(request, written):
        return None
    prompt, answer = session.turn(request, json.dumps(written, ensure_ascii=False))
    return Turn(tuple(prompt), tuple(answer))


def _allows(request: GenerateRequest, written: Any) -> bool:
    if request.json_schema is None:
        return True
    return jsonschema.Draft202012Validator(request.json_schema).is_valid(written)


async def heard_request(agent: Agent, inputs: Json, card: ModelCard) -> GenerateRequest | None:
    """The first request that the agent makes of a model; None where it answers by itself."""
    listener = _Listener(card)
    with contextlib.suppress(Heard):
        await agent.answer(inputs, Call(agent.spec, listener))
    return listener.request


class Heard(BaseException):
    """Not an error: an agent that catches errors must not catch it."""


class _Listener:
    """In the place of a generator."""

    resident_bytes = 0

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self.request: GenerateRequest | None = None

    async def generate(self, request: GenerateRequest, on_text: OnText | None = None) -> Generation:
        self.request = request
        raise Heard

    def count_tokens(self, request: GenerateRequest) -> int:
        return 0

    def close(self) -> None: ...
