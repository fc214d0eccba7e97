"""Which model answers a subtask, why, and what the losers were.

Hard filters come first, each removal with its reason; then one policy orders what is left. The ladder that
comes out is climbed by the controller: a failed check moves one rung up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.errors import ModelUnavailable, UnknownName
from orchestrator.routing import cascade, fixed, only, smallest_capable
from orchestrator.routing.evidence import proven
from orchestrator.routing.filters import Need, Surroundings, rejections
from orchestrator.routing.policy import Policy
from orchestrator.types import ModelCard, Rejected, Route

POLICIES: Mapping[str, Policy] = {
    "fixed": fixed.order,
    "smallest-capable": smallest_capable.order,
    "cascade": cascade.order,
    "only": only.order,
}

__all__ = ["POLICIES", "Need", "Surroundings", "check_policy", "proven", "route"]


def check_policy(text: str, cards: Mapping[str, ModelCard]) -> None:
    """Raises UnknownName for a policy, or a model of `fixed:MODEL` or `only:A,B`, that is not there."""
    name, _, argument = text.partition(":")
    if name not in POLICIES:
        raise UnknownName("routing policy", text, [*POLICIES, "fixed:MODEL", "only:A,B"])
    if name == "fixed" and argument not in cards:
        raise UnknownName("model", argument, cards, hint=None if argument else "Write fixed:MODEL.")
    for model in only.names(argument) if name == "only" else ():
        if model not in cards:
            raise UnknownName("model", model, cards, hint=None if model else "Write only:A,B.")


def route(policy: str, need: Need, cards: Iterable[ModelCard], here: Surroundings) -> Route:
    """Filter, then order. Raises ModelUnavailable, listing every rejection, when nothing is left."""
    name, _, argument = policy.partition(":")
    if not need.capabilities:
        return Route(policy=policy, model=None, reason="exact code answers this; no model is needed")
    rejected: list[Rejected] = []
    candidates: list[ModelCard] = []
    for card in sorted(cards, key=lambda card: card.name):
        reason = rejections(card, need, here) or _only_by_name(card, name)
        if reason:
            rejected.append(Rejected(model=card.name, reason=reason))
        else:
            candidates.append(card)
    if candidates:
        ordered = POLICIES[name](candidates, argument, here.proven)
        rejected += ordered.rejected
        if ordered.ladder:
            return Route(
                policy=policy,
                model=ordered.ladder[0],
                reason=ordered.reason,
                ladder=ordered.ladder,
                rejected=tuple(rejected),
            )
    raise ModelUnavailable(_nothing_left(need, policy, rejected))


def _only_by_name(card: ModelCard, policy: str) -> str | None:
    if card.role == "twin" and policy not in ("fixed", "only"):
        return f"a twin for cross-checks, used only as fixed:{card.name}"
    return None


def _nothing_left(need: Need, policy: str, rejected: list[Rejected]) -> str:
    # The nearest misses say most: a model that could do it but is not installed comes before one that cannot.
    near_first = sorted(rejected, key=lambda item: "cannot" in item.reason)
    reasons = "; ".join(f"{item.model}: {item.reason}" for item in near_first) or "there are no model cards"
    return f"No model may answer {need.agent!r} under policy {policy!r}: {reasons}."
