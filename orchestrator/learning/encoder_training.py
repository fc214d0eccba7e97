"""S5: train an encoder with low-rank changes and a head; end in a delta.

The idea of LoRA (Hu et al., arXiv 2106.09685): a weight W of shape (out, in) stays as it is, and up @ down of
rank r is added to it, which has r * (out + in) numbers instead of out * in. Only these, and the head, learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.learning.curve import Trained
from orchestrator.learning.loop import Item, Judged, Loop, Report, with_low_rank
from orchestrator.learning.recipes import Recipe
from orchestrator.learning.tasks import Row, Task, settled
from orchestrator.store.blocks import Floats
from orchestrator.store.encoder_families import FAMILIES

# The matrices that learn, by the kind of encoder (`store/encoder_families.py`).
_MATRICES = {"bert": ["query", "key", "value", "dense"], "mpnet": ["q", "k", "v", "o", "dense"]}


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
    return Trainer(recipe, task, base, train, dev, work, begin).run(report)


class EncoderLoop(Loop[Item]):
    """What learns of any encoder: low-rank changes at one rate, and its `head` at another."""

    def groups(self, model: Any) -> list[dict[str, Any]]:
        others = [p for p in model.encoder.parameters() if p.requires_grad]
        return [
            {"params": others, "peak": self.recipe.learning_rate},
            {"params": list(model.head.parameters()), "peak": self.recipe.head_learning_rate},
        ]

    def delta(self) -> dict[str, Floats]:
        """Of the best epoch, which the model has from then on."""
        self.bare_model().load_state_dict(self.best, strict=False)
        return delta_tensors({name: value.numpy() for name, value in self.best.items()})


class Trainer(EncoderLoop[Row]):
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
        self._task, self._base, self._dev, self._begin = task, base, dev, begin or {}
        super().__init__(recipe, train, work)

    def build(self) -> Any:
        import torch

        model = _model(self.recipe, self._task, self._base)
        for name, value in self._begin.items():
            model.get_parameter(name).data = torch.from_numpy(value.copy())
        return model

    def length(self, item: Row) -> int:
        return len(item.encoding.ids)

    def loss(self, items: Sequence[Row]) -> Any:
        return self._task.loss(self._scored(items), items, self.recipe.label_smoothing)

    def judge(self) -> Judged:
        import torch

        scores = self.scores(self._dev)
        losses = [
            float(self._task.loss(torch.from_numpy(score[None]), [row], 0.0))
            for score, row in zip(scores, self._dev, strict=True)
        ]
        return Judged(self._task.quality(scores, self._dev), float(np.mean(losses)))

    def trained(self) -> Trained:
        trained = Trained(self.delta(), self.curve, self.best_epoch())
        return settled(self._task, trained, self.recipe, self.scores(self._dev), self._dev)

    def scores(self, rows: Sequence[Row]) -> list[Floats]:
        """Without padding, in the order of the rows."""
        import torch

        self.model.eval()
        found: list[Floats] = [np.empty(0, dtype=np.float32)] * len(rows)
        order = sorted(range(len(rows)), key=lambda place: self.length(rows[place]))
        with torch.no_grad():
            for start in range(0, len(order), 2 * self.recipe.batch):
                places = order[start : start + 2 * self.recipe.batch]
                batch = [rows[place] for place in places]
                scores = self._scored(batch).float().cpu().numpy()
                for place, row, score in zip(places, batch, scores, strict=True):
                    found[place] = score[: len(row.encoding.ids)] if score.ndim == 2 else score
        return found

    def _scored(self, rows: Sequence[Row]) -> Any:
        return self.model(**inputs_of([row.encoding for row in rows], self.accelerator.device))


def delta_tensors(learnt: dict[str, NDArray[Any]]) -> dict[str, Floats]:
    """peft's names -> those of a delta. The scale of the changes, 1 here, is in them already."""
    made = {}
    for name, value in learnt.items():
        plain = name.removeprefix("encoder.base_model.model.")
        for part, short in (("lora_A", "down"), ("lora_B", "up")):
            plain = plain.replace(f".{part}.default.weight", f".weight:{short}")
        made[plain] = np.asarray(value, dtype=np.float32)
    return made


def low_rank_encoder(recipe: Recipe, base: Path) -> Any:
    """The base for torch, with the recipe's dropout, in which only low-rank changes learn."""
    import torch
    from transformers import AutoModel

    encoder = AutoModel.from_pretrained(
        str(base),
        add_pooling_layer=False,
        local_files_only=True,
        dtype=torch.bfloat16 if recipe.bfloat16 else torch.float32,
    )
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = recipe.dropout
    return with_low_rank(encoder, recipe, _MATRICES[encoder.config.model_type])


def read(encoder: Any, inputs: Mapping[str, Any]) -> Any:
    """The last hidden states, (texts, tokens, hidden), in float32. MPNet knows no token types."""
    import torch

    family, ids = FAMILIES[encoder.config.model_type], inputs["input_ids"]
    wanted = {name: value for name, value in inputs.items() if family.token_types or name != "token_type_ids"}
    # Said as the converted graph has them: left to itself MPNet passes over a "<pad>" that a text holds.
    places = torch.arange(ids.shape[1], device=ids.device) + family.first_position
    return encoder(**wanted, position_ids=places.expand_as(ids)).last_hidden_state.float()


def pooled(hidden: Any, mask: Any) -> Any:
    """The mean token's direction: (texts, tokens, hidden) -> (texts, hidden), each of length 1."""
    import torch

    return torch.nn.functional.normalize((hidden * mask[..., None]).sum(dim=1), dim=-1)


def inputs_of(encodings: Sequence[Any], device: Any) -> dict[str, Any]:
    """Padded to the longest."""
    import torch

    longest = max(len(encoding.ids) for encoding in encodings)
    ids, mask, types = np.zeros((3, len(encodings), longest), dtype=np.int64)
    for place, encoding in enumerate(encodings):
        length = len(encoding.ids)
        ids[place, :length] = encoding.ids
        types[place, :length] = encoding.type_ids
        mask[place, :length] = 1
    tensors = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    return {name: torch.from_numpy(value).to(device) for name, value in tensors.items()}


def _model(recipe: Recipe, task: Task, base: Path) -> Any:
    import torch

    encoder = low_rank_encoder(recipe, base)

    class WithHead(torch.nn.Module):  # type: ignore[misc]
        """The graph that `store/convert_encoder.py` writes, to learn with."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.head = torch.nn.Linear(encoder.config.hidden_size, task.head.width)
            torch.nn.init.normal_(self.head.weight, std=1.0 if task.head.kind == "classify" else 0.02)
            torch.nn.init.zeros_(self.head.bias)

        def forward(self, **inputs: Any) -> Any:
            hidden = read(self.encoder, inputs)
            return self.head(hidden if task.head.kind == "tag" else pooled(hidden, inputs["attention_mask"]))

    return WithHead()
