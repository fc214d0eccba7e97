"""`agree:A,B,C`: an answer counts once two of these models gave it; else the last of them decides.

They are asked as in a cascade, the smallest first and a reference last. Two cheap models that are wrong in
different ways seldom make the same mistake, so that what both say is right more often than what either is
sure of (query by committee, Seung et al., COLT 1992). Agreement takes the place of confidence, for models
that cannot tell theirs or whose confidence says little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.routing import only
from orchestrator.routing.filters import Surroundings
from orchestrator.routing.policy import Ordered
from orchestrator.types import Check, Learns, ModelCard, Step

CHECK = "agreement"


def order(candidates: Sequence[ModelCard], argument: str, here: Surroundings) -> Ordered:
    ordered = only.order(candidates, argument, here)
    if len(ordered.ladder) < 2:
        return ordered
    names = ", ".join(ordered.ladder)
    reason = f"accepted once two of {names} say the same, else {ordered.ladder[-1]} decides"
    return ordered.model_copy(update={"reason": reason})


def agreement(said: Sequence[Step], output: Any, learns: Learns | None) -> Check:
    """Whether one of the models that were asked before said the same, and nothing else was wrong with it.

    Of an agent that says how it is learnt the answer is compared, without what stands beside it in the
    output, such as a score.
    """
    others = [step for step in said if _only_alone(step)]
    if any(_answer(step.output, learns) == _answer(output, learns) for step in others):
        return Check(name=CHECK, passed=True)
    reason = f"{others[-1].model} says otherwise" if others else "no other model has answered yet"
    return Check(name=CHECK, passed=False, reason=reason)


def _only_alone(step: Step) -> bool:
    """An answer of which the checks had nothing else to say."""
    checks = step.decision.checks if step.decision else ()
    return all(check.passed or check.name == CHECK for check in checks)


def _answer(output: Any, learns: Learns | None) -> Any:
    within = isinstance(output, dict) and learns is not None and learns.answer in output
    return output[learns.answer] if learns and within else output
