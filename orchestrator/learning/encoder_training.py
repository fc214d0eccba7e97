"""S5: train an encoder with low-rank changes and a head; go on after a kill; end in a delta.

The idea of LoRA (Hu et al., arXiv 2106.09685): a weight W of shape (out, in) stays as it is, and up @ down of
rank r is added to it, which has r * (out + in) numbers instead of out * in. Only these, and the head, learn.

Each epoch is decided by (seed, epoch) alone: the order of the rows and what dropout drops. So a training that
was killed goes on from the last whole epoch and ends as if it had never been (on the same machine, with the
same threads). The epoch that is best on the development rows is kept; the test rows are not seen here.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.learning.curve import Epoch, Trained
from orchestrator.learning.recipes import Recipe
from orchestrator.learning.tasks import Row, Task, settled
from orchestrator.runtimes.torch_runtime import import_torch
from orchestrator.store.blocks import Floats

Report = Callable[[Epoch], None]
_PROJECTIONS = ["query", "key", "value", "dense"]
_CHECKPOINT = "checkpoint.pt"


def train_encoder(
    recipe: Recipe,
    task: Task,
    base: Path,
    train: Sequence[Row],
    dev: Sequence[Row],
    work: Path,
    report: Report,
    begin: Mapping[str, Floats] | None = None,
) -> Trained:
    """`base`: config.json and model.safetensors. `work` is where a checkpoint lies while this goes on.

    `begin`: the head's weight and bias to begin with; random, where there are none.
    """
    trainer = Trainer(recipe, task, base, train, dev, work, begin)
    while not trainer.is_done():
        report(trainer.next_epoch())
    return trainer.trained()


class Trainer:
    """The model, the optimiser and the curve so far."""

    def __init__(
        self,
        recipe: Recipe,
        task: Task,
        base: Path,
        train: Sequence[Row],
        dev: Sequence[Row],
        work: Path,
        begin: Mapping[str, Floats] | None = None,
    ) -> None:
        torch, _ = import_torch()
        from accelerate import Accelerator

        self._recipe, self._task = recipe, task
        self._train, self._dev = train, dev
        self._checkpoint = work / _CHECKPOINT
        self._curve: list[Epoch] = []
        torch.manual_seed(recipe.seed)
        model = _model(recipe, task, base)
        for name, value in (begin or {}).items():
            model.get_parameter(name).data = torch.from_numpy(value.copy())
        self._accelerator = Accelerator()
        self._model, self._optimizer = self._accelerator.prepare(model, _optimizer(model, recipe))
        self._best: dict[str, Any] = {}
        self._steps = math.ceil(len(train) / recipe.batch)
        self._go_on()

    def is_done(self) -> bool:
        if len(self._curve) == self._recipe.epochs:
            return True
        return bool(self._curve) and len(self._curve) - self._best_epoch().epoch >= self._recipe.patience

    def next_epoch(self) -> Epoch:
        """Learn from every training row once, judge on the development rows, and keep a checkpoint."""
        number = len(self._curve) + 1
        loss = self._learn(number)
        scores = self._scores(self._dev)
        quality = self._task.quality(scores, self._dev)
        epoch = Epoch(epoch=number, loss=loss, dev_quality=quality, dev_loss=self._dev_loss(scores))
        self._curve.append(epoch)
        if self._best_epoch() is epoch:
            self._best = self._learnt()
        self._save()
        return epoch

    def trained(self) -> Trained:
        self._accelerator.unwrap_model(self._model).load_state_dict(self._best, strict=False)
        tensors = {name: value.numpy() for name, value in self._best.items()}
        trained = Trained(delta_tensors(tensors), tuple(self._curve), self._best_epoch())
        scores = self._scores(self._dev)
        return settled(self._task, trained, self._recipe.none_at_most, scores, self._dev)

    # --- one epoch ------------------------------------------------------------------------------------

    def _learn(self, number: int) -> float:
        import torch

        torch.manual_seed(self._recipe.seed * 100_003 + number)
        self._model.train()
        losses = []
        for step, rows in enumerate(_batches(self._train, self._recipe, number)):
            self._set_rate((number - 1) * self._steps + step)
            self._optimizer.zero_grad()
            scores = self._model(**_inputs(rows, self._accelerator.device))
            loss = self._task.loss(scores, rows, self._recipe.label_smoothing)
            self._accelerator.backward(loss)
            self._accelerator.clip_grad_norm_(self._model.parameters(), 1.0)
            self._optimizer.step()
            losses.append((float(loss.detach()), len(rows)))
        return sum(loss * n for loss, n in losses) / sum(n for _, n in losses)

    def _set_rate(self, step: int) -> None:
        """A linear warm-up, then half a cosine down to nothing."""
        total = self._steps * self._recipe.epochs
        warm = max(1, round(total * self._recipe.warmup))
        share = (
            (step + 1) / warm if step < warm else (1 + math.cos(math.pi * (step - warm) / (total - warm))) / 2
        )
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak"] * share

    def _scores(self, rows: Sequence[Row]) -> list[Floats]:
        """Without padding, in the order of the rows."""
        import torch

        self._model.eval()
        found: list[Floats] = [np.empty(0, dtype=np.float32)] * len(rows)
        order = sorted(range(len(rows)), key=lambda place: len(rows[place].encoding.ids))
        with torch.no_grad():
            for start in range(0, len(order), 2 * self._recipe.batch):
                places = order[start : start + 2 * self._recipe.batch]
                batch = [rows[place] for place in places]
                scores = self._model(**_inputs(batch, self._accelerator.device)).float().cpu().numpy()
                for place, row, score in zip(places, batch, scores, strict=True):
                    found[place] = score[: len(row.encoding.ids)] if score.ndim == 2 else score
        return found

    def _dev_loss(self, scores: Sequence[Floats]) -> float:
        import torch

        losses = [
            float(self._task.loss(torch.from_numpy(score[None]), [row], 0.0))
            for score, row in zip(scores, self._dev, strict=True)
        ]
        return float(np.mean(losses))

    def _best_epoch(self) -> Epoch:
        """Of two that are as good the one that is surer."""
        return max(self._curve, key=lambda epoch: (epoch.dev_quality, -epoch.dev_loss))

    # --- what is kept ---------------------------------------------------------------------------------

    def _learnt(self) -> dict[str, Any]:
        model = self._accelerator.unwrap_model(self._model)
        return {n: p.detach().cpu().clone() for n, p in model.named_parameters() if p.requires_grad}

    def _save(self) -> None:
        import torch

        state = {
            "curve": [epoch.model_dump() for epoch in self._curve],
            "best": self._best,
            "now": self._learnt(),
            "optimizer": self._optimizer.state_dict(),
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
        self._best = state["best"]
        model = self._accelerator.unwrap_model(self._model)
        model.load_state_dict(state["now"], strict=False)
        self._optimizer.load_state_dict(state["optimizer"])


def delta_tensors(learnt: dict[str, NDArray[Any]]) -> dict[str, Floats]:
    """peft's names -> those of a delta. The scale of the changes, 1 here, is in them already."""
    made = {}
    for name, value in learnt.items():
        plain = name.removeprefix("encoder.base_model.model.")
        for part, short in (("lora_A", "down"), ("lora_B", "up")):
            plain = plain.replace(f".{part}.default.weight", f".weight:{short}")
        made[plain] = np.asarray(value, dtype=np.float32)
    return made


def _model(recipe: Recipe, task: Task, base: Path) -> Any:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import BertModel

    encoder = BertModel.from_pretrained(
        str(base), add_pooling_layer=False, local_files_only=True, attn_implementation="sdpa"
    )
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = recipe.dropout
    config = LoraConfig(r=recipe.rank, lora_alpha=recipe.rank, target_modules=_PROJECTIONS)

    class WithHead(torch.nn.Module):  # type: ignore[misc]
        """The graph that `store/convert_encoder.py` writes, to learn with."""

        def __init__(self) -> None:
            super().__init__()
            with warnings.catch_warnings():
                # peft asks transformers 5 for something under its old name.
                warnings.simplefilter("ignore", FutureWarning)
                self.encoder = get_peft_model(encoder, config)
            self.head = torch.nn.Linear(encoder.config.hidden_size, task.head.width)
            torch.nn.init.normal_(self.head.weight, std=1.0 if task.head.kind == "classify" else 0.02)
            torch.nn.init.zeros_(self.head.bias)

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            hidden = self.encoder(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).last_hidden_state
            if task.head.kind == "tag":
                return self.head(hidden)
            total = (hidden * attention_mask[..., None]).sum(dim=1)
            return self.head(torch.nn.functional.normalize(total, dim=-1))

    return WithHead()


def _optimizer(model: Any, recipe: Recipe) -> Any:
    import torch

    head = list(model.head.parameters())
    others = [p for p in model.encoder.parameters() if p.requires_grad]
    groups = [
        {"params": others, "lr": recipe.learning_rate, "peak": recipe.learning_rate},
        {"params": head, "lr": recipe.head_learning_rate, "peak": recipe.head_learning_rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)


def _batches(rows: Sequence[Row], recipe: Recipe, number: int) -> Iterator[list[Row]]:
    """Shuffled by (seed, epoch); of each run of eight batches rows of like length go together, unpadded."""
    order = np.random.default_rng([recipe.seed, number]).permutation(len(rows)).tolist()
    stretch = 8 * recipe.batch
    batches = []
    for start in range(0, len(order), stretch):
        near = sorted(order[start : start + stretch], key=lambda place: len(rows[place].encoding.ids))
        batches += [near[at : at + recipe.batch] for at in range(0, len(near), recipe.batch)]
    turn = np.random.default_rng([recipe.seed, number, 1]).permutation(len(batches)).tolist()
    yield from ([rows[place] for place in batches[at]] for at in turn)


def _inputs(rows: Sequence[Row], device: Any) -> dict[str, Any]:
    """Padded to the longest."""
    import torch

    longest = max(len(row.encoding.ids) for row in rows)
    ids, mask, types = np.zeros((3, len(rows), longest), dtype=np.int64)
    for place, row in enumerate(rows):
        length = len(row.encoding.ids)
        ids[place, :length] = row.encoding.ids
        types[place, :length] = row.encoding.type_ids
        mask[place, :length] = 1
    tensors = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    return {name: torch.from_numpy(value).to(device) for name, value in tensors.items()}
