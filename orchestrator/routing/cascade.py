"""`cascade`: the smallest first; a failed check moves to the next; the reference model comes last.

The idea is FrugalGPT's (Chen et al., arXiv 2305.05176): most answers of the cheap model are good, and a check
that can tell costs less than always asking the large one.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.routing.filters import Surroundings
from orchestrator.routing.policy import Ordered, by_size, size_of
from orchestrator.types import ModelCard, Rejected


def order(candidates: Sequence[ModelCard], argument: str, here: Surroundings) -> Ordered:
    """Where a specialist of this very work is unsure, nobody without training for it is a better judge but
    the reference, against which it was held: the others are not asked."""
    trained = [card for card in candidates if card.specialism and card.role != "reference"]
    references = [card for card in candidates if card.role == "reference"]
    if not trained or not references:
        return in_order(candidates)
    why = f"not trained for this work, as {trained[0].name} is"
    others = [card for card in candidates if card not in trained and card not in references]
    rejected = tuple(Rejected(model=card.name, reason=why) for card in others)
    return in_order([*trained, *references]).model_copy(update={"rejected": rejected})


def in_order(candidates: Sequence[ModelCard]) -> Ordered:
    """All of them."""
    references = [card for card in candidates if card.role == "reference"]
    crew = [card for card in candidates if card.role != "reference"]
    first, *rest = ladder = [*by_size(crew), *by_size(references)]
    then = (
        f", then {' > '.join(card.name for card in rest)} if its checks fail"
        if rest
        else "; there is no other"
    )
    reason = f"smallest of {len(candidates)} capable ({size_of(first)}){then}"
    return Ordered(ladder=tuple(card.name for card in ladder), reason=reason)
