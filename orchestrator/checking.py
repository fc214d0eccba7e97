"""Accept, retry or escalate an answer.

A failed check is retried once with the same model, told what was wrong (greedy decoding would repeat itself
otherwise); then the next model of the ladder is tried. An answer that was cut off goes up at once, since
the same model would be cut off again. Which checks there are is the agent's business; see `agent.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from orchestrator.errors import LilliputError, ModelError, Truncated
from orchestrator.types import AgentSpec, Answer, Bar, Check, Decision


def decide(
    spec: AgentSpec,
    answer: Answer,
    checks: Sequence[Check],
    *,
    attempt: int,
    has_next: bool,
    bar: Bar | None = None,
    doubts: Sequence[Check] = (),
) -> Decision:
    """What to do with an answer. `attempt` counts from 1 for the current model.

    `bar`: a threshold that was calibrated for this model as this agent; it takes the place of the agent's.
    `doubts`: checks that say whether to ask another model and not what is wrong, in the place of confidence.
    """
    all_checks = (*checks, *(doubts or _confidence(spec, answer, bar)))
    failed = [check for check in all_checks if not check.passed]
    if not failed:
        reason = answer.reason or f"{len(all_checks)} of {len(all_checks)} checks hold"
        return Decision(action="accept", reason=reason, checks=all_checks)
    reason = _told(failed)
    only_unsure = all(check.name == "confidence" or check in doubts for check in failed)
    if only_unsure and not has_next:
        # Confidence tells whether to ask a larger model, not that the answer is wrong; nobody is left to ask.
        return Decision(action="accept", reason=f"{reason}, but no other model is left", checks=all_checks)
    may_retry = attempt <= spec.retries and not only_unsure and bool(spec.needs)
    if may_retry:  # the model is told; that others say otherwise is nothing to mend
        reason = _told(check for check in failed if check not in doubts)
    return _otherwise(reason, all_checks, may_retry=may_retry, has_next=has_next)


def decide_on_error(spec: AgentSpec, error: LilliputError, *, attempt: int, has_next: bool) -> Decision:
    """What to do after the model itself failed. One that cannot be loaded is not tried again."""
    passing = isinstance(error, ModelError) and not isinstance(error, Truncated)
    may_retry = attempt <= spec.retries and passing and bool(spec.needs)
    name = "complete" if isinstance(error, Truncated) else "answered"
    check = Check(name=name, passed=False, reason=str(error))
    return _otherwise(str(error), (check,), may_retry=may_retry, has_next=has_next)


def _confidence(spec: AgentSpec, answer: Answer, bar: Bar | None) -> tuple[Check, ...]:
    least = bar.threshold if bar else spec.min_confidence
    if least is None or answer.confidence is None or (answer.abstained and not bar):
        return ()
    if answer.confidence >= least:
        return (Check(name="confidence", passed=True),)
    # Rounded down, so that 0.899 never reads as "0.90 is below 0.90"; near 1 two digits tell nothing.
    digits = 2 if least < 0.99 else 5
    scale = 10**digits
    least_shown = math.ceil(round(scale * least, 6)) / scale
    shown = f"{math.floor(scale * answer.confidence) / scale:.{digits}f} is below {least_shown:.{digits}f}"
    why = f", {bar.why}" if bar else ""
    return (Check(name="confidence", passed=False, reason=shown + why),)


def _told(failed: Iterable[Check]) -> str:
    return "; ".join(f"{check.name}: {check.reason}" for check in failed)


def _otherwise(reason: str, checks: tuple[Check, ...], *, may_retry: bool, has_next: bool) -> Decision:
    if may_retry:
        return Decision(action="retry", reason=reason, checks=checks)
    return Decision(action="escalate" if has_next else "fail", reason=reason, checks=checks)
