"""`smallest-capable`: the smallest model that can do it, and no other when it fails."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.routing.policy import Ordered, by_size, size_of
from orchestrator.types import ModelCard, Rejected


def order(candidates: Sequence[ModelCard], argument: str) -> Ordered:
    smallest, *larger = by_size(candidates)
    rejected = tuple(
        Rejected(model=card.name, reason=f"larger than {smallest.name} ({size_of(card)})") for card in larger
    )
    reason = f"smallest of {len(candidates)} capable ({size_of(smallest)})"
    return Ordered(ladder=(smallest.name,), reason=reason, rejected=rejected)
