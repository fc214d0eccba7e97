"""Examples of a choice as pairs of texts: exactly what the agent asks a specialist about each candidate.

The agent's own code makes the pairs, as it makes the prompts in `turns.py`: it is asked with a listener in
the place of a specialist.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from orchestrator.agent import Agent, Call
from orchestrator.errors import UserError
from orchestrator.learning.examples import Example
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
    names = [_name(candidate) for candidate in inputs.get(learns.choices or "") or ()]
    listener = _Listener(card)
    with contextlib.suppress(Heard):
        await agent.answer(inputs, Call(agent.spec, listener))
    if not names or len(listener.asked) != len(names):
        raise UserError(
            f"{example.origin}: agent {agent.spec.name} asked about {len(listener.asked)} things,"
            f" and {learns.choices!r} holds {len(names)}.",
            hint=f"Write what there is to choose from into each row: inputs.{learns.choices}.",
        )
    asked = zip(listener.asked, names, strict=True)
    return [Pair(text, candidate, name == example.answer) for (text, candidate), name in asked]


def _name(candidate: Any) -> str:
    return str(candidate["name"] if isinstance(candidate, dict) else candidate)


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
