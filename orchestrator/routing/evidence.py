"""Which models have earned an agent: confirmed on some benchmark, and refuted on none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.types import Evidence


def proven(agent: str, evidence: Mapping[str, Sequence[Evidence]]) -> dict[str, str]:
    """By model: where it was found to be as good as the reference at what this agent does."""
    found = {}
    for model, entries in evidence.items():
        own = [entry for entry in entries if entry.agent == agent]
        rulings = {entry.ruling for entry in own}
        if "confirmed" in rulings and "refuted" not in rulings:
            best = next(entry for entry in own if entry.ruling == "confirmed")
            found[model] = f"{100 * best.quality:.0f} % on {best.benchmark} {best.family}, n = {best.n}"
    return found
