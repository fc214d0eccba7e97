"""A model's threshold for one task, proven on the user's own answers; `cascade` accepts from there on.

The answers come through the product's own controller, as they will come later. What the model has learnt from
proves nothing about it and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from orchestrator.errors import UserError
from orchestrator.learning.examples import Example
from orchestrator.learning.gate import Answered, is_right
from orchestrator.records import utc_now
from orchestrator.routing.guarantee import Outcome, fewest_needed, guaranteed, spent_of
from orchestrator.routing.shift import baseline_of
from orchestrator.store.files import replace_text
from orchestrator.types import Calibration, CalibrationFile, Learns, RunResult

_HEAD = "# Written by `lilliput route calibrate`: from where on the policy `cascade` accepts answers.\n"


class About(NamedTuple):
    """Which model as which agent, and the hashes that end the promise when they change."""

    agent: str
    agent_hash: str
    model: str
    model_key: str
    fixed: dict[str, str]


def outcomes_of(learns: Learns, tested: Sequence[Example], found: Answered) -> list[Outcome]:
    """(confidence, right) of each answer. A run that failed has confidence 0: it is never accepted."""
    results: Sequence[RunResult] = found.results or ()
    return [
        Outcome(result.confidence or 0.0, is_right(learns, answer, example.answer))
        for example, answer, result in zip(tested, found.answers, results, strict=True)
    ]


def calibrate(
    about: About, outcomes: Sequence[Outcome], judged_by: str, max_wrong: float, delta: float
) -> Calibration:
    """Raises UserError where no threshold can be proven, with what there is instead."""
    found = guaranteed(outcomes, max_wrong, delta)
    if found is None:
        raise UserError(_not_proven(about, outcomes, max_wrong, delta), hint=_MEND)
    return Calibration(
        **about._asdict(),
        guarantee=found,
        baseline=baseline_of([outcome.confidence for outcome in outcomes]),
        spent=spent_of(outcomes),
        judged_by=judged_by,
        made_at=utc_now(),
    )


def keep(root: Path, calibration: Calibration, known: Sequence[Calibration]) -> Path:
    """Write it in the place of the one for the same model and task."""
    file = root / "models" / "calibrated" / f"{calibration.agent}.yaml"
    others = [c for c in known if (c.model, c.fixed) != (calibration.model, calibration.fixed)]
    spec = CalibrationFile(name=calibration.agent, calibrations=(*others, calibration))
    replace_text(file, _HEAD + yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, width=110))
    return file


_MEND = "Collect more answers, allow more wrong ones (--max-wrong), or train the model further."


def _not_proven(about: About, outcomes: Sequence[Outcome], max_wrong: float, delta: float) -> str:
    n, wrong = len(outcomes), sum(not outcome.right for outcome in outcomes)
    needed = fewest_needed(max_wrong, delta)
    if n < needed:
        return f"{n} answers, and {needed} are the fewest that can prove at most {max_wrong:.0%} wrong."
    return (
        f"{about.model} was wrong on {wrong} of {n} answers, and at no confidence is it shown to be wrong on "
        f"at most {max_wrong:.0%}."
    )
