"""A threshold on a model's confidence that was proven on a user's own answers, and what it was proven on."""

from __future__ import annotations

import bisect
from collections.abc import Mapping

from orchestrator.types.base import Name, Record


class Bar(Record):
    """From which confidence on an answer is accepted; `why` goes on after "0.61 is below 0.90"."""

    threshold: float
    why: str


class Spent(Record):
    """What comes of giving the reference `share` of the answers, the least sure ones.

    `accepted` of the calibration's answers have at least the confidence `threshold`, `wrong` of these were
    wrong; `wrong_at_most` is the exact upper bound on their share, at 95 % for this row alone.
    """

    share: float
    threshold: float
    accepted: int
    wrong: int
    wrong_at_most: float


class Guarantee(Record):
    """Accept from `threshold` on: of that at most `max_wrong` is wrong, with probability 1 - `delta`.

    `n` answers were looked at. `wrong_at_most` is the exact upper bound (Clopper and Pearson, one-sided at
    `delta`) that they give at this threshold alone.
    """

    threshold: float
    max_wrong: float
    delta: float
    n: int
    accepted: int
    wrong: int
    wrong_at_most: float

    @property
    def coverage(self) -> float:
        """The share of answers that is accepted."""
        return self.accepted / self.n

    @property
    def bar(self) -> Bar:
        why = f"from where at most {self.max_wrong:.0%} are wrong (n = {self.n})"
        return Bar(threshold=self.threshold, why=why)


class Baseline(Record):
    """How confidences fell when the threshold was made: inner edges of the bins, and how many in each."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    def bin_of(self, confidence: float) -> int:
        return bisect.bisect_right(self.edges, confidence)


class Calibration(Record):
    """One model as one agent, with the inputs that define the task. Ends when any of the three changes.

    `spent`: by rising share; what the policy `budget` goes by.
    """

    agent: Name
    agent_hash: str
    model: Name
    model_key: str
    fixed: Mapping[str, str] = {}
    guarantee: Guarantee
    baseline: Baseline
    spent: tuple[Spent, ...] = ()
    judged_by: str
    made_at: str

    def within(self, share: float) -> Spent | None:
        """The row of the largest share that is no more than `share`; None where there is none."""
        affordable = [row for row in self.spent if row.share <= share + 1e-9]
        return affordable[-1] if affordable else None

    def holds_for(self, agent_hash: str, model: str, model_key: str | None, fixed: Mapping[str, str]) -> bool:
        known = (self.agent_hash, self.model, self.model_key, dict(self.fixed))
        return known == (agent_hash, model, model_key, dict(fixed))


class CalibrationFile(Record):
    """`models/calibrated/<agent>.yaml`."""

    name: Name
    calibrations: tuple[Calibration, ...] = ()
