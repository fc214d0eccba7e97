"""`only:A,B`: a cascade over the named models. For workflows whose agents need different kinds of model."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.routing import cascade
from orchestrator.routing.filters import Surroundings
from orchestrator.routing.policy import Ordered
from orchestrator.types import ModelCard, Rejected


def names(argument: str) -> list[str]:
    return [name.strip() for name in argument.split(",")]


def order(candidates: Sequence[ModelCard], argument: str, here: Surroundings) -> Ordered:
    allowed = set(names(argument))
    others = tuple(
        Rejected(model=card.name, reason="the policy does not name it")
        for card in candidates
        if card.name not in allowed
    )
    named = [card for card in candidates if card.name in allowed]
    if not named:
        return Ordered(ladder=(), reason="", rejected=others)
    return cascade.in_order(named).model_copy(update={"rejected": others})
