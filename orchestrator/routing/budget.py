"""`budget:15%`: one cheap model, and the reference for at most that share of answers: the least sure ones.

Where confidence says how likely an answer is right, and the reference is about as good at all of them, a call
of it gains most where confidence is lowest (Chow, "On optimum recognition error and reject tradeoff", 1970).
Below which confidence that share lies is known from `lilliput route calibrate`. A task that was not
calibrated is answered as under `cascade`, and the reason says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import InvalidInput
from orchestrator.routing import cascade
from orchestrator.routing.filters import Surroundings
from orchestrator.routing.policy import Ordered, by_size
from orchestrator.types import ModelCard, Rejected


def share_of(argument: str) -> float:
    """`15%` or `0.15`. Raises InvalidInput for anything but a share from 0 to 1."""
    text = argument.strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise InvalidInput(
            f"{argument!r} is no share of calls.", hint="Write one such as budget:15% or budget:0.15."
        )
    return share


def order(candidates: Sequence[ModelCard], argument: str, here: Surroundings) -> Ordered:
    share = share_of(argument)
    references = by_size([card for card in candidates if card.role == "reference"])
    cheap = by_size(
        [card for card in candidates if card.name in here.calibrated and card.role != "reference"]
    )
    if not cheap:
        ordered = cascade.order(candidates, "", here)
        return ordered.model_copy(update={"reason": f"not calibrated, so as cascade: {ordered.reason}"})
    ladder = (cheap[0].name, *(card.name for card in references[:1]))
    others = tuple(
        Rejected(model=card.name, reason=f"the budget is shared by {' and '.join(ladder)}")
        for card in by_size(candidates)
        if card.name not in ladder
    )
    then = f"{ladder[1]} for at most {100 * share:g} %" if references else "no reference is here"
    return Ordered(ladder=ladder, reason=f"smallest calibrated for this task; {then}", rejected=others)
