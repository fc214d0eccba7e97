"""The loop of training: epochs, rates, checkpoints, the best epoch; go on after a kill as if it had not been.

Each epoch is decided by (seed, epoch) alone: the order of the rows and what dropout drops. So a training that
was killed goes on from the last whole epoch and ends as if it had never been (on the same machine, with the
same threads). The epoch that is best on the development rows is kept; the test rows are not seen here.

What is learnt from is another matter: `encoder_training.py` and `generator_training.py`. torch is imported
only by those who train.
"""

from __future__ import annotations

import math
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from orchestrator.learning.averaging import Average
from orchestrator.learning.curve import Epoch, Trained
from orchestrator.learning.memory import give_back_freed_memory
from orchestrator.learning.recipes import Recipe
from orchestrator.runtimes.torch_runtime import import_torch

Report = Callable[[Epoch], None]
Item = TypeVar("Item")
_CHECKPOINT = "checkpoint.pt"


class Judged(NamedTuple):
    """Of the development rows. `quality` in [0, 1], `loss` in nats."""

    quality: float
    loss: float


class Loop(ABC, Generic[Item]):
    """The model, the optimiser and the curve so far. `work` is where a checkpoint lies while this goes on."""

    def __init__(self, recipe: Recipe, train: Sequence[Item], work: Path) -> None:
        torch, _ = import_torch()
        from accelerate import Accelerator

        give_back_freed_memory()
        self.recipe, self._train = recipe, train
        self._checkpoint = work / _CHECKPOINT
        self._curve: list[Epoch] = []
        torch.manual_seed(recipe.seed)
        model = self.build()
        self.accelerator = Accelerator()
        self.model, self._optimizer = self.accelerator.prepare(model, self._made_optimizer(model))
        self.best: dict[str, Any] = {}
        self._average = Average(self._learning, recipe.average) if recipe.average else None
        self._steps = math.ceil(len(train) / recipe.batch)
        self._go_on()

    # --- what a kind of model brings --------------------------------------------------------------------

    @abstractmethod
    def build(self) -> Any:
        """A torch module in which only what is to be learnt has `requires_grad`."""

    @abstractmethod
    def groups(self, model: Any) -> list[dict[str, Any]]:
        """Parameters with their highest rate, as `{"params": …, "peak": …}`."""

    @abstractmethod
    def length(self, item: Item) -> int:
        """In tokens: rows of like length go together."""

    @abstractmethod
    def loss(self, items: Sequence[Item]) -> Any:
        """A torch scalar; the model is in training mode."""

    @abstractmethod
    def judge(self) -> Judged:
        """On the development rows."""

    @abstractmethod
    def trained(self) -> Trained:
        """What the best epoch has learnt."""

    # --- the loop ---------------------------------------------------------------------------------------

    def run(self, report: Report) -> Trained:
        while not self.is_done():
            report(self.next_epoch())
        return self.trained()

    def is_done(self) -> bool:
        if len(self._curve) == self.recipe.epochs:
            return True
        return bool(self._curve) and len(self._curve) - self.best_epoch().epoch >= self.recipe.patience

    def next_epoch(self) -> Epoch:
        """Learn from every training row once, judge on the development rows, and keep a checkpoint."""
        number = len(self._curve) + 1
        loss = self._learn(number)
        self.model.eval()
        with self._average.in_place() if self._average else nullcontext():
            judged = self.judge()
            epoch = Epoch(epoch=number, loss=loss, dev_quality=judged.quality, dev_loss=judged.loss)
            self._curve.append(epoch)
            if self.best_epoch() is epoch:
                self.best = self._learnt()
        self._save()
        return epoch

    @property
    def curve(self) -> tuple[Epoch, ...]:
        return tuple(self._curve)

    def best_epoch(self) -> Epoch:
        """Of two that are as good the one that is surer."""
        return max(self._curve, key=lambda epoch: (epoch.dev_quality, -epoch.dev_loss))

    def bare_model(self) -> Any:
        return self.accelerator.unwrap_model(self.model)

    def _learn(self, number: int) -> float:
        import torch

        torch.manual_seed(self.recipe.seed * 100_003 + number)
        self.model.train()
        losses = []
        for step, items in enumerate(self._batches(number)):
            self._set_rate((number - 1) * self._steps + step)
            self._optimizer.zero_grad()
            loss = self.loss(items)
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(self.model.parameters(), 1.0)
            self._optimizer.step()
            if self._average:
                self._average.follow()
            losses.append((float(loss.detach()), len(items)))
        return sum(loss * n for loss, n in losses) / sum(n for _, n in losses)

    def _made_optimizer(self, model: Any) -> Any:
        import torch

        groups = [{**group, "lr": group["peak"]} for group in self.groups(model)]
        return torch.optim.AdamW(groups, weight_decay=self.recipe.weight_decay)

    def _set_rate(self, step: int) -> None:
        """A linear warm-up, then half a cosine down to nothing."""
        total = self._steps * self.recipe.epochs
        warm = max(1, round(total * self.recipe.warmup))
        share = (
            (step + 1) / warm if step < warm else (1 + math.cos(math.pi * (step - warm) / (total - warm))) / 2
        )
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak"] * share

    def _batches(self, number: int) -> Iterator[list[Item]]:
        """Shuffled by (seed, epoch); of each run of eight batches rows of like length go together."""
        rows, batch = self._train, self.recipe.batch
        order = np.random.default_rng([self.recipe.seed, number]).permutation(len(rows)).tolist()
        batches = []
        for start in range(0, len(order), 8 * batch):
            near = sorted(order[start : start + 8 * batch], key=lambda place: self.length(rows[place]))
            batches += [near[at : at + batch] for at in range(0, len(near), batch)]
        turn = np.random.default_rng([self.recipe.seed, number, 1]).permutation(len(batches)).tolist()
        yield from ([rows[place] for place in batches[at]] for at in turn)

    # --- what is kept -----------------------------------------------------------------------------------

    def _learning(self) -> dict[str, Any]:
        return {name: value for name, value in self.bare_model().named_parameters() if value.requires_grad}

    def _learnt(self) -> dict[str, Any]:
        return {name: value.detach().cpu().clone() for name, value in self._learning().items()}

    def _save(self) -> None:
        import torch

        state = {
            "curve": [epoch.model_dump() for epoch in self._curve],
            "best": self.best,
            "now": self._learnt(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average.values if self._average else {},
        }
        self._checkpoint.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._checkpoint.with_suffix(".new")
        with unfinished.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(self._checkpoint)

    def _go_on(self) -> None:
        import torch

        if not self._checkpoint.is_file():
            return
        state = torch.load(self._checkpoint, weights_only=True, map_location="cpu")
        self._curve = [Epoch(**epoch) for epoch in state["curve"]]
        self.best = state["best"]
        self.bare_model().load_state_dict(state["now"], strict=False)
        self._optimizer.load_state_dict(state["optimizer"])
        if self._average:
            self._average.restore(state["average"])


def with_low_rank(model: Any, recipe: Recipe, modules: Sequence[str], dropout: float = 0.0) -> Any:
    """The model with low-rank changes of these of its matrices, scaled by 1, and nothing else that learns."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=recipe.rank, lora_alpha=recipe.rank, lora_dropout=dropout, target_modules=list(modules)
    )
    with warnings.catch_warnings():
        # peft asks transformers 5 for something under its old name.
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(model, config)
