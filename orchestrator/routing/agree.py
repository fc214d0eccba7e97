"""`agree:A,B,C`: an answer counts once two of these models gave it; else the last of them decides.

Two cheap models that are wrong in different ways seldom make the same mistake, so that what both say is right
more often than what either is sure of (query by committee, Seung et al., COLT 1992). Agreement takes the
place of confidence: for models that cannot tell theirs, or whose confidence says little.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from orchestrator.routing import only
from orchestrator.routing.filters import Surroundings
from orchestrator.routing.policy import Ordered
from orchestrator.types import Check, ModelCard, Step

CHECK = "agreement"


def order(candidates: Sequence[ModelCard], argument: str, here: Surroundings) -> Ordered:
    ordered = only.order(candidates, argument, here)
    if len(ordered.ladder) < 2:
        return ordered
    first, second, *_ = ordered.ladder
    reason = f"accepted where {first} and {second} say the same, else {ordered.ladder[-1]} decides"
    return ordered.model_copy(update={"reason": reason})


def agreement(said: Sequence[Step], output: Any) -> Check:
    """Whether one of the models that were asked before said the same, and nothing else was wrong with it."""
    others = [step for step in said if _only_alone(step)]
    same = [step for step in others if _as_text(step.output) == _as_text(output)]
    if same:
        return Check(name=CHECK, passed=True)
    reason = f"{others[-1].model} says otherwise" if others else "no other model has answered yet"
    return Check(name=CHECK, passed=False, reason=reason)


def _only_alone(step: Step) -> bool:
    """An answer of which the checks had nothing else to say."""
    checks = step.decision.checks if step.decision else ()
    answered = step.output is not None or step.abstained
    return answered and all(check.passed or check.name == CHECK for check in checks)


def _as_text(output: Any) -> str:
    return json.dumps(output, sort_keys=True, ensure_ascii=False)
