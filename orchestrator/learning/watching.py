"""S6: whether answers since a threshold was proven look like those that it was proven on."""

from __future__ import annotations

from orchestrator.agent import defining_hashes
from orchestrator.learning.training import Purpose
from orchestrator.records import Records
from orchestrator.routing.shift import first_alarm
from orchestrator.types import Calibration, Name, Record


class Watched(Record):
    """Answers of a model since its threshold was proven. `promised`: the share that was accepted then.

    `alarm_after`: so many answers on they no longer looked like those; None: they do.
    """

    model: Name
    since: str
    answers: int
    accepted: int
    promised: float
    alarm_after: int | None


def watched(records: Records, purpose: Purpose, calibration: Calibration) -> Watched:
    confidences = [
        step.confidence or 0.0
        for step in records.steps_of(purpose.agent, since=calibration.made_at)
        if step.model == calibration.model
        and defining_hashes(purpose.learns, step.inputs) == dict(calibration.fixed)
    ]
    alarm = first_alarm(calibration.baseline, confidences)
    promise = calibration.guarantee
    return Watched(
        model=calibration.model,
        since=calibration.made_at,
        answers=len(confidences),
        accepted=sum(confidence >= promise.threshold for confidence in confidences),
        promised=promise.coverage,
        alarm_after=alarm.after if alarm else None,
    )
