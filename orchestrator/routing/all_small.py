"""`all-small`: the smallest model that can answer, and no other when it fails."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.routing.all_reference import others
from orchestrator.routing.filters import Surroundings
from orchestrator.routing.policy import Ordered, by_size, size_of
from orchestrator.types import ModelCard


def order(candidates: Sequence[ModelCard], argument: str, here: Surroundings) -> Ordered:
    chosen = by_size(candidates)[0]
    reason = f"the smallest of {len(candidates)} capable ({size_of(chosen)})"
    return Ordered(ladder=(chosen.name,), reason=reason, rejected=others(candidates, chosen))
