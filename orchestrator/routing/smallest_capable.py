"""`smallest-capable`: the smallest model with evidence that it can do it, and no other when it fails.

Without evidence for any of them the reference answers. Where no reference could (none is installed, or it is
another kind of model), the smallest does, and the reason says that nothing is proven.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.routing.filters import Surroundings
from orchestrator.routing.policy import Ordered, by_size, size_of
from orchestrator.types import ModelCard, Rejected


def order(candidates: Sequence[ModelCard], argument: str, here: Surroundings) -> Ordered:
    references = [card for card in candidates if card.role == "reference"]
    tried = [card for card in candidates if card.name in here.proven and card.role != "reference"]
    if tried:
        chosen = by_size(tried)[0]
        reason = f"smallest of {len(tried)} with evidence for this agent: {here.proven[chosen.name]}"
    elif references:
        chosen = by_size(references)[0]
        reason = "no smaller model has evidence for this agent, so the reference answers"
    else:
        chosen = by_size(candidates)[0]
        reason = (
            f"smallest of {len(candidates)} capable ({size_of(chosen)}); no evidence, and no reference here"
        )
    rejected = tuple(
        Rejected(model=card.name, reason=_why_not(card, chosen, here.proven))
        for card in by_size(candidates)
        if card.name != chosen.name
    )
    return Ordered(ladder=(chosen.name,), reason=reason, rejected=rejected)


def _why_not(card: ModelCard, chosen: ModelCard, proven: Mapping[str, str]) -> str:
    judged = chosen.role == "reference" or chosen.name in proven
    if judged and card.name not in proven and card.role != "reference":
        return "no evidence for this agent"
    return f"larger than {chosen.name} ({size_of(card)})"
