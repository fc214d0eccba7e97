"""What a routing policy is: a function that orders the candidates which the filters left.

It is given what stands behind the colon of its name, and what there is here: which models have evidence for
the agent, and of which the confidence was calibrated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.routing.filters import Surroundings
from orchestrator.types import ModelCard, Record, Rejected


class Ordered(Record):
    """The models to try in order, why, and which candidates the policy itself put aside."""

    ladder: tuple[str, ...]
    reason: str
    rejected: tuple[Rejected, ...] = ()


Policy = Callable[[Sequence[ModelCard], str, Surroundings], Ordered]


def by_size(cards: Sequence[ModelCard]) -> list[ModelCard]:
    """Smallest first by parameters, then by memory; an unknown size counts as the largest.

    Of two of one size the less precise comes first, being the cheaper one.
    """
    unknown = float("inf")
    return sorted(
        cards,
        key=lambda card: (
            unknown if card.parameters is None else card.parameters,
            unknown if card.memory_bytes is None else card.memory_bytes,
            card.name,
        ),
    )


def size_of(card: ModelCard) -> str:
    return f"{card.parameters / 1e6:,.0f}M parameters" if card.parameters else "size not known"
