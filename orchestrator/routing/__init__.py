"""Which model answers a subtask, why, and what the losers were.

Hard filters come first, each removal with its reason; then one policy orders what is left. The ladder that
comes out is climbed by the controller: a failed check moves one rung up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from orchestrator.errors import InvalidInput, ModelUnavailable, UnknownName
from orchestrator.routing import (
    agree,
    all_reference,
    all_small,
    budget,
    cascade,
    fixed,
    only,
    smallest_capable,
)
from orchestrator.routing.agree import agreement
from orchestrator.routing.evidence import promoted, proven
from orchestrator.routing.filters import Need, Surroundings, rejections, unable
from orchestrator.routing.policy import Policy
from orchestrator.types import AgentSpec, ModelCard, Rejected, Route

POLICIES: Mapping[str, Policy] = {
    "fixed": fixed.order,
    "smallest-capable": smallest_capable.order,
    "cascade": cascade.order,
    "only": only.order,
    "all-reference": all_reference.order,
    "all-small": all_small.order,
    "budget": budget.order,
    "agree": agree.order,
}

_NAMING = ("only", "agree")  # these name several models
_BY_NAME = {
    "candidate": "not promoted",
    "twin": "a twin for cross-checks",
    "base": "a base for specialists",
}
_FORMS = {"fixed": "fixed:MODEL", "only": "only:A,B", "agree": "agree:A,B,C", "budget": "budget:15%"}

__all__ = [
    "POLICIES",
    "Need",
    "Surroundings",
    "agreement",
    "asks_agreement",
    "budgeted",
    "check_able",
    "check_policy",
    "named_models",
    "promoted",
    "proven",
    "route",
    "unable",
]


def check_policy(text: str, cards: Mapping[str, ModelCard]) -> None:
    """Raises UnknownName for a policy, or a model that it names, that is not there.

    Raises InvalidInput for a `budget:` that is no share, or an `agree:` with one model alone.
    """
    name, _, argument = text.partition(":")
    if name not in POLICIES:
        raise UnknownName("routing policy", text, [*POLICIES, *_FORMS.values()])
    if name == "budget":
        budget.share_of(argument)
    named = named_models(text)
    for model in named:
        if model not in cards:
            raise UnknownName("model", model, cards, hint=None if model else f"Write {_FORMS[name]}.")
    if name == "agree" and len(set(named)) < 2:
        raise InvalidInput(f"{text!r} names one model; two must agree.", hint=f"Write {_FORMS[name]}.")


def check_able(policy: str, agents: Iterable[AgentSpec], cards: Mapping[str, ModelCard]) -> None:
    """Raises InvalidInput where a policy names models and none of them can do what an agent needs."""
    named = named_models(policy)
    unserved = [spec for spec in agents if named and spec.needs and not _able(spec, named, cards)]
    if unserved:
        smallest_first = sorted(cards, key=lambda name: (cards[name].parameters or 0, name))
        others = (_able(spec, smallest_first, cards)[:1] for spec in unserved)
        enough = dict.fromkeys([*named, *chain.from_iterable(others)])
        who, what = unserved[0].name, ", ".join(sorted(unserved[0].needs))
        raise InvalidInput(
            f"Under {policy!r} nothing can answer agent {who!r}, which needs: {what}.",
            hint=f"Name more models: --route {_more(policy)}:{','.join(enough)}",
        )


def _more(policy: str) -> str:
    """The policy that can name more models."""
    name = policy.partition(":")[0]
    return name if name in _NAMING else "only"


def _able(spec: AgentSpec, names: Iterable[str], cards: Mapping[str, ModelCard]) -> list[str]:
    return [name for name in names if _can(spec, cards[name])]


def _can(spec: AgentSpec, card: ModelCard) -> bool:
    """Whatever the inputs; a specialist may still be passed over for them."""
    if card.specialism:
        return card.specialism.agent == spec.name
    return spec.needs <= card.capabilities


def named_models(policy: str) -> list[str]:
    """The models that the text of a policy names; none for one that takes what there is."""
    name, _, argument = policy.partition(":")
    if name == "fixed":
        return [argument]
    return only.names(argument) if name in _NAMING else []


def asks_agreement(policy: str) -> bool:
    """Whether an answer counts once a second model gave it."""
    return policy.partition(":")[0] == "agree"


def budgeted(policy: str) -> float | None:
    """The share of calls that a policy gives to the reference; None for one that has no such share."""
    name, _, argument = policy.partition(":")
    return budget.share_of(argument) if name == "budget" else None


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
        ordered = POLICIES[name](candidates, argument, here)
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
    if policy in ("fixed", *_NAMING):
        return None
    if (kind := _BY_NAME.get(card.role)) is None:
        return None
    return f"{kind}, used only as fixed:{card.name}"


def _nothing_left(need: Need, policy: str, rejected: list[Rejected]) -> str:
    # The nearest misses say most: a model that could do it but is not installed comes before one that cannot.
    near_first = sorted(rejected, key=lambda item: "cannot" in item.reason)
    reasons = "; ".join(f"{item.model}: {item.reason}" for item in near_first) or "there are no model cards"
    return f"No model may answer {need.agent!r} under policy {policy!r}: {reasons}."
