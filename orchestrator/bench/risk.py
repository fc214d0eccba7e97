"""Does a threshold keep its promise on real outcomes? Of a record, again and again on halves drawn at random.

On one half a threshold is proven (`routing/guarantee.py`), on the other it is held to: accepted answers may
be wrong at most so often. And where another record has answers of the same arm to other work, these come
after the first half, and the alarm (`routing/shift.py`) should be heard soon.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence

from orchestrator.bench.record import BenchRecord
from orchestrator.errors import UserError
from orchestrator.routing.guarantee import Outcome, guaranteed
from orchestrator.routing.shift import baseline_of, first_alarm
from orchestrator.types import Record

_RIGHT = 1.0


class Risk(Record):
    """Over `splits` halvings of `n` answers, of which the share `right` is right.

    `unproven`: halves on which no threshold could be proven, so that nothing is accepted. `violated`: other
    halves of which more than `max_wrong` of the accepted were wrong. `coverage` and `wrong` are means: what
    is accepted of all, and how much of that is wrong (None: never anything).
    """

    arm: str
    n: int
    right: float
    max_wrong: float
    splits: int
    unproven: int
    violated: int
    coverage: float
    wrong: float | None


class ShiftFound(Record):
    """`after`: answers to other work until the alarm, the median over the splits; None: not heard in half of
    them. `false_alarms`: splits in which it was heard on the other half of the same work already.
    """

    other: str
    splits: int
    after: float | None
    false_alarms: int


def outcomes_of(record: BenchRecord, arm: str) -> list[Outcome]:
    """Raises UserError for an arm that has no confidences."""
    found = [
        Outcome(outcome.confidence or 0.0, outcome.grade == _RIGHT)
        for outcome in record.outcomes
        if outcome.arm == arm
    ]
    if not any(outcome.confidence for outcome in found):
        able = sorted({outcome.arm for outcome in record.outcomes if outcome.confidence})
        raise UserError(
            f"Arm {arm!r} of {record.benchmark.name!r} has no answers with a confidence.",
            hint=f"There are: {', '.join(able) or 'none'}.",
        )
    return found


def risk_of(arm: str, outcomes: Sequence[Outcome], max_wrong: float, *, splits: int, seed: int) -> Risk:
    """Each split by itself: the same seed gives the same halves."""
    unproven, violated = 0, 0
    coverage, wrong = [], []
    for proven, held in _halves(outcomes, splits, seed):
        found = guaranteed(proven, max_wrong)
        if found is None:
            unproven += 1
            coverage.append(0.0)
            continue
        rights = [outcome.right for outcome in held if outcome.confidence >= found.threshold]
        coverage.append(len(rights) / len(held))
        if rights:
            wrong.append(rights.count(False) / len(rights))
            violated += wrong[-1] > max_wrong
    return Risk(
        arm=arm,
        n=len(outcomes),
        right=sum(outcome.right for outcome in outcomes) / len(outcomes),
        max_wrong=max_wrong,
        splits=splits,
        unproven=unproven,
        violated=violated,
        coverage=statistics.mean(coverage),
        wrong=statistics.mean(wrong) if wrong else None,
    )


def shift_of(
    other: str, outcomes: Sequence[Outcome], later: Sequence[Outcome], *, splits: int, seed: int
) -> ShiftFound:
    """`later`: answers to other work, in an order of their own for each split."""
    heard: list[float] = []
    false_alarms = 0
    chance = random.Random(seed)
    for proven, held in _halves(outcomes, splits, seed):
        baseline = baseline_of([outcome.confidence for outcome in proven])
        false_alarms += first_alarm(baseline, [outcome.confidence for outcome in held]) is not None
        stream = chance.sample([outcome.confidence for outcome in later], len(later))
        alarm = first_alarm(baseline, stream)
        heard.append(alarm.after if alarm else math.inf)
    middle = statistics.median(heard)
    after = None if math.isinf(middle) else middle
    return ShiftFound(other=other, splits=splits, after=after, false_alarms=false_alarms)


def _halves(outcomes: Sequence[Outcome], splits: int, seed: int) -> list[tuple[list[Outcome], list[Outcome]]]:
    chance = random.Random(seed)
    made = []
    for _ in range(splits):
        order = chance.sample(list(outcomes), len(outcomes))
        made.append((order[: len(order) // 2], order[len(order) // 2 :]))
    return made
