"""Notice that answers no longer look like those that a threshold was proven on.

Nobody tells at run time whether an answer was right, but confidences are seen. Sorted into bins that held
about equal shares when the threshold was made, they should go on falling so. Several ways to fall otherwise
are held against that, bins tilted towards the unsure or the sure end, gently or steeply:

    evidence for a tilt = the product of  chance of the bin under the tilt / chance of the bin as it was

started again from 1 wherever it would fall below: a CUSUM of e-values (Shin, Ramdas and Rinaldo,
"E-detectors", arXiv 2203.03532). An alarm is when their mean reaches `ALARM`, which without a shift takes
about that many answers or more.

It sees what moves confidences: other topics, other languages, another model. Answers that turn wrong while
the model stays as sure are not seen here; a share of answers checked by the reference shows those.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from orchestrator.types import Baseline

ALARM = 100_000.0
BINS = 8
# Towards the unsure end, and towards the sure one.
_TILTS = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)


class Alarm(NamedTuple):
    """After how many answers, and how much evidence there was then."""

    after: int
    evidence: float


def baseline_of(confidences: Sequence[float]) -> Baseline:
    """Bins of equal shares, fewer where many confidences are the same. Raises ValueError for none."""
    if not confidences:
        raise ValueError("no confidences, no baseline")
    ordered = sorted(confidences)
    edges = sorted({ordered[len(ordered) * step // BINS] for step in range(1, BINS)})
    made = Baseline(edges=tuple(edges), counts=())
    counts = [0] * (len(edges) + 1)
    for confidence in ordered:
        counts[made.bin_of(confidence)] += 1
    return Baseline(edges=made.edges, counts=tuple(counts))


class Detector:
    """Hears confidences one by one."""

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline
        self._ratios = _ratios(baseline.counts)
        self._evidence = [1.0] * len(_TILTS)

    @property
    def evidence(self) -> float:
        return sum(self._evidence) / len(self._evidence)

    def hear(self, confidence: float) -> bool:
        """Whether there is an alarm now."""
        place = self._baseline.bin_of(confidence)
        pairs = zip(self._evidence, self._ratios, strict=True)
        self._evidence = [max(1.0, evidence) * ratios[place] for evidence, ratios in pairs]
        return self.evidence >= ALARM


def _ratios(counts: Sequence[int]) -> list[list[float]]:
    """For each tilt and bin: how much likelier the bin is under the tilt."""
    last = max(len(counts) - 1, 1)
    found = []
    for tilt in _TILTS:
        weights = [math.exp(tilt * (2 * place / last - 1)) for place in range(len(counts))]
        mean = sum(w * count for w, count in zip(weights, counts, strict=True)) / sum(counts)
        found.append([weight / mean for weight in weights])
    return found


def first_alarm(baseline: Baseline, confidences: Iterable[float]) -> Alarm | None:
    """The first alarm over a stream, in its order."""
    detector = Detector(baseline)
    for number, confidence in enumerate(confidences, start=1):
        if detector.hear(confidence):
            return Alarm(number, detector.evidence)
    return None
