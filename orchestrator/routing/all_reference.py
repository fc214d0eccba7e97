"""`all-reference`: the reference model wherever it can answer, else the largest that can.

What routing is held against, as is `all-small`.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.routing.filters import Surroundings
from orchestrator.routing.policy import Ordered, by_size, size_of
from orchestrator.types import ModelCard, Rejected


def order(candidates: Sequence[ModelCard], argument: str, here: Surroundings) -> Ordered:
    references = [card for card in candidates if card.role == "reference"]
    chosen = by_size(references or candidates)[-1]
    why = "the reference" if references else f"no reference can; the largest ({size_of(chosen)})"
    return Ordered(ladder=(chosen.name,), reason=why, rejected=others(candidates, chosen))


def others(candidates: Sequence[ModelCard], chosen: ModelCard) -> tuple[Rejected, ...]:
    left = (card for card in by_size(candidates) if card.name != chosen.name)
    return tuple(Rejected(model=card.name, reason=f"the policy takes {chosen.name} alone") for card in left)
