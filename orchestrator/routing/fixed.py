"""`fixed:MODEL`: always that model, and no other when it fails. The arm of a benchmark, or a user's wish."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.routing.filters import Surroundings
from orchestrator.routing.policy import Ordered
from orchestrator.types import ModelCard, Rejected


def order(candidates: Sequence[ModelCard], argument: str, here: Surroundings) -> Ordered:
    others = tuple(
        Rejected(model=card.name, reason=f"the policy names {argument}")
        for card in candidates
        if card.name != argument
    )
    ladder = tuple(card.name for card in candidates if card.name == argument)
    return Ordered(ladder=ladder, reason=f"fixed to {argument}", rejected=others)
