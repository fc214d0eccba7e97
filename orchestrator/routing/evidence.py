"""Which models have earned an agent: confirmed on some benchmark and refuted on none, or promoted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from orchestrator.types import Evidence, ModelCard


def proven(
    agent: str,
    agent_hash: str,
    evidence: Mapping[str, Sequence[Evidence]],
    key_of: Callable[[str], str | None],
) -> dict[str, str]:
    """By model: where it was found to be as good as the reference at what this agent does.

    `key_of`: of an installed model. What was found out about another conversion of a model, or about the
    agent before it was changed, does not count.
    """
    found = {}
    for model, entries in evidence.items():
        own = [entry for entry in entries if (entry.agent, entry.agent_hash) == (agent, agent_hash)]
        key = key_of(model) if own else None
        current = [entry for entry in own if entry.model_key == key]
        rulings = {entry.ruling for entry in current}
        if "confirmed" in rulings and "refuted" not in rulings:
            best = next(entry for entry in current if entry.ruling == "confirmed")
            found[model] = f"{100 * best.quality:.0f} % on {best.benchmark} {best.family}, n = {best.n}"
    return found


def promoted(cards: Mapping[str, ModelCard]) -> dict[str, str]:
    """Specialists that passed their gate; the filters see to it that they answer their own task alone."""
    return {
        name: "it passed its gate for this task"
        for name, card in cards.items()
        if card.specialism and card.role == "crew"
    }
