"""Who does a task now: what a new specialist is held against, and whose place it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from orchestrator.errors import UserError
from orchestrator.routing.policy import by_size
from orchestrator.store import ModelStore
from orchestrator.types import Capability, ModelCard, Specialism


class Work(NamedTuple):
    """What a specialist is for, as in `Specialism`."""

    agent: str
    fixed: Mapping[str, str]
    kinds: frozenset[str]


def work_of(trained: Specialism) -> Work:
    return Work(trained.agent, dict(trained.fixed), frozenset(trained.kinds))


def answering(cards: Mapping[str, ModelCard], work: Work, but: str | None = None) -> list[str]:
    """The promoted specialists for all of this work, whatever they are called, the smallest first."""
    crew = [card for card in cards.values() if card.role == "crew" and card.name != but]
    return [card.name for card in by_size(crew) if card.specialism and _does(work_of(card.specialism), work)]


def twins_of(cards: Mapping[str, ModelCard], work: Work) -> Callable[[str], bool]:
    """Says of a specialist whether it answers this very work and no more: one such is enough."""

    def is_twin(name: str) -> bool:
        trained = cards[name].specialism if name in cards else None
        return trained is not None and work_of(trained) == work

    return is_twin


def incumbent_of(
    cards: Mapping[str, ModelCard],
    work: Work,
    needs: frozenset[Capability],
    reference: str,
    but: str | None = None,
) -> str:
    """The specialist that answers this work, else the reference model, else the smallest that can.

    One that answers this work and no more comes first: its place is taken.
    """
    now = answering(cards, work, but)
    twins = filter(twins_of(cards, work), now)
    return next(iter((*twins, *now)), None) or untrained(needs, cards, reference)


def untrained(needs: frozenset[Capability], cards: Mapping[str, ModelCard], reference: str) -> str:
    """Who does the work without a specialist: the reference, or the smallest that can where it cannot."""
    crew = [card for card in cards.values() if card.role == "crew" and not card.specialism]
    able = [card.name for card in by_size(crew) if needs <= card.capabilities]
    unable = reference in cards and not needs <= cards[reference].capabilities
    return able[0] if unable and able else reference


def insist_on_installed(store: ModelStore, model: str) -> None:
    """Raises UserError where the model could not be asked."""
    if store.state(model) != "installed":
        raise UserError(
            f"{model} is to be asked, and is not installed.",
            hint=f"Type: lilliput models pull {model}",
        )


def _does(other: Work, work: Work) -> bool:
    return (other.agent, other.fixed) == (work.agent, work.fixed) and work.kinds <= other.kinds
