"""Hard filters: what rules a model out for a subtask, whatever the policy. Each gives its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orchestrator.types import Capability, ModelCard, Record, Specialism


class Need(Record):
    """What a subtask asks of a model. `prompt_tokens` is an estimate before tokenising.

    For specialists: `fixed` are hashes of the inputs that define the task, `kinds` what is to be marked in a
    text (`Specialism`).
    """

    agent: str
    capabilities: frozenset[Capability]
    prompt_tokens: int = 0
    max_tokens: int = 0
    language: str | None = None
    models: tuple[str, ...] = ()
    fixed: Mapping[str, str] = {}
    kinds: frozenset[str] = frozenset()


class Surroundings(Record):
    """What this machine can offer. `spendable` is what the run's budget still allows, in US dollars.

    `installed`: among the models that are able to do it. `proven`: those that a benchmark found to be as good
    as the reference at what this agent does, and where that was. `calibrated`: those whose confidence was
    held against answers to this very task.
    """

    installed: frozenset[str]
    memory_budget_bytes: int
    has_cuda: bool = False
    spendable_usd: float | None = None
    proven: Mapping[str, str] = {}
    calibrated: frozenset[str] = frozenset()


Filter = Callable[[ModelCard, Need, Surroundings], str | None]


def rejections(card: ModelCard, need: Need, here: Surroundings) -> str | None:
    """Why this model is out, or None. The first reason is enough."""
    for check in (_capability, _named, _language, _context, _memory, _device, _installed, _money):
        if reason := check(card, need, here):
            return reason
    return None


def _capability(card: ModelCard, need: Need, here: Surroundings) -> str | None:
    return unable(card, need)


def unable(card: ModelCard, need: Need) -> str | None:
    """Why this model could not do it on any machine, or None."""
    if card.specialism:
        return _specialism(card.specialism, need)
    lacking = need.capabilities - card.capabilities
    return f"cannot {', '.join(sorted(lacking))}" if lacking else None


def _specialism(trained: Specialism, need: Need) -> str | None:
    """A specialist answers its own agent, with the inputs that it was trained with."""
    if trained.agent != need.agent:
        return f"a specialist for agent {trained.agent}, cannot answer another"
    other = [name for name, known in trained.fixed.items() if need.fixed.get(name) != known]
    if other:
        return f"trained for other {', '.join(sorted(other))}"
    unknown = need.kinds.difference(trained.kinds) if trained.kinds else ()
    return f"not trained to mark {', '.join(sorted(unknown))}" if unknown else None


def _named(card: ModelCard, need: Need, here: Surroundings) -> str | None:
    if need.models and card.name not in need.models:
        return f"agent {need.agent} lists only {', '.join(need.models)}"
    return None


def _language(card: ModelCard, need: Need, here: Surroundings) -> str | None:
    if need.language and card.languages and need.language not in card.languages:
        return f"does not claim the language {need.language!r} (claims {', '.join(card.languages)})"
    return None


def _context(card: ModelCard, need: Need, here: Surroundings) -> str | None:
    if card.specialism:  # reads the text alone, and only its beginning where it is long
        return None
    wanted = need.prompt_tokens + need.max_tokens
    if card.context_tokens is not None and wanted > card.context_tokens:
        return f"context of {card.context_tokens:,} tokens is too short for about {wanted:,}"
    return None


def _memory(card: ModelCard, need: Need, here: Surroundings) -> str | None:
    if card.memory_bytes is not None and card.memory_bytes > here.memory_budget_bytes:
        wanted, allowed = card.memory_bytes / 1e9, here.memory_budget_bytes / 1e9
        return f"needs {wanted:.1f} GB of memory, the budget is {allowed:.1f} GB"
    return None


def _device(card: ModelCard, need: Need, here: Surroundings) -> str | None:
    return "needs CUDA, which is not here" if card.device == "cuda" and not here.has_cuda else None


def _installed(card: ModelCard, need: Need, here: Surroundings) -> str | None:
    if card.name in here.installed or card.runtime in ("remote", "scripted"):
        return None
    return f"not installed (lilliput models pull {card.name})"


def _money(card: ModelCard, need: Need, here: Surroundings) -> str | None:
    """A remote call that cannot be paid for. A price that is not known cannot be held to a budget."""
    if here.spendable_usd is None or card.remote is None:
        return None
    prices = card.remote.usd_per_million_input_tokens, card.remote.usd_per_million_output_tokens
    if prices[0] is None or prices[1] is None:
        return "its price is not known, and the run has a cost budget"
    worst_usd = (prices[0] * need.prompt_tokens + prices[1] * need.max_tokens) / 1e6
    if worst_usd > here.spendable_usd:
        return f"may cost {worst_usd:.6f} USD, {here.spendable_usd:.6f} is left"
    return None
