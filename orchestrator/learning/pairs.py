"""Examples of a choice as pairs of texts: exactly what the agent asks a specialist about each candidate.

The agent's own code makes the pairs, as it makes the prompts in `turns.py`: it is asked with a listener in
the place of a specialist.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.agent import Agent, Call
from orchestrator.errors import InvalidInput, UserError
from orchestrator.learning.examples import Example, names_of, problem_with_choice
from orchestrator.learning.turns import Heard
from orchestrator.runtimes.base import PairScores
from orchestrator.types import Json, Learns, ModelCard


class Pair(NamedTuple):
    """A text and something to choose, both as the agent shows them, and whether that is the right one."""

    text: str
    candidate: str
    right: bool


async def pairs_of(
    agent: Agent, learns: Learns, fixed: Json, example: Example, card: ModelCard
) -> list[Pair]:
    """A pair for each candidate, in their order.

    Raises UserError for an example without candidates, and for an agent that asks about others.
    """
    inputs = example.as_input(learns, fixed)
    candidates = inputs.get(learns.choices or "")
    if problem := problem_with_choice(example.answer, candidates):
        hint = f"Each row says what there is to choose from, and the name of one: inputs.{learns.choices}."
        raise UserError(f"{example.origin}: {problem}.", hint=hint)
    try:
        agent.validate_input(inputs)
    except InvalidInput as invalid:
        raise UserError(f"{example.origin}: {invalid.message}", hint=invalid.hint) from None
    listener, names = _Listener(card), names_of(candidates) or []
    with contextlib.suppress(Heard):
        await agent.answer(inputs, Call(agent.spec, listener))
    if len(listener.asked) != len(names):
        raise UserError(
            f"{example.origin}: agent {agent.spec.name} asked about {len(listener.asked)} things,"
            f" and {learns.choices!r} holds {len(names)}.",
            hint=f"Its answer.py asks `score_pairs` about each of its {learns.choices}, in their order.",
        )
    asked = zip(listener.asked, names, strict=True)
    return [Pair(text, candidate, name == example.answer) for (text, candidate), name in asked]


class _Listener:
    """In the place of a specialist."""

    resident_bytes = 0

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self.asked: Sequence[tuple[str, str]] = ()

    async def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> PairScores:
        self.asked = pairs
        raise Heard

    def close(self) -> None: ...
