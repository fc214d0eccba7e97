"""How a training went, and what came of it."""

from __future__ import annotations

from typing import NamedTuple

from orchestrator.store.blocks import Floats
from orchestrator.types import Record


class Epoch(Record):
    """One line of the learning curve. `loss` is the mean over the training rows of the epoch."""

    epoch: int
    loss: float
    dev_quality: float
    dev_loss: float


class Trained(NamedTuple):
    """The best epoch's tensors by their names in a delta, and how it came to that.

    `temperature`: by what to divide scores so that probabilities are as often right as they say, on the
    development rows.
    """

    tensors: dict[str, Floats]
    curve: tuple[Epoch, ...]
    best: Epoch
    temperature: float = 1.0
