"""S5: train an encoder to tell which of several texts fits one; end in a delta.

Both texts are read apart, as in Sentence-BERT (Reimers & Gurevych, arXiv 1908.10084): the score of a pair is
w . (u * v) + b, where u and v are their embeddings of length 1 and w begins as a constant, so that training
begins at the cosine that the base ranks by already. What there is to choose from is therefore read once and
kept. Reading both at once (a cross-encoder) was tried first and learnt nothing from 900 rows: decision 18.

Two things are to be learnt, and both are in the loss: which fits best (softmax over the candidates of a row)
and whether one fits at all (each by itself).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from orchestrator.learning.curve import Trained
from orchestrator.learning.encoder_training import EncoderLoop, inputs_of, low_rank_encoder, pooled, read
from orchestrator.learning.loop import Judged, Report
from orchestrator.learning.recipes import Recipe
from orchestrator.learning.tasks import Floats, best_temperature

_STEEP = 20.0  # by what the cosine is multiplied at first; a half of it is taken off, so that 0.5 is even


class Choice(NamedTuple):
    """One example as tokens. `right`: for each candidate whether it is the one."""

    text: Any
    candidates: tuple[Any, ...]
    right: tuple[bool, ...]


def train_pairs(
    recipe: Recipe, base: Path, train: Sequence[Choice], dev: Sequence[Choice], work: Path, report: Report
) -> Trained:
    """`base`: config.json and model.safetensors. `work` is where a checkpoint lies while this goes on."""
    return PairTrainer(recipe, base, train, dev, work).run(report)


class PairTrainer(EncoderLoop[Choice]):
    """Quality of an epoch: the share of development rows of which the right one is chosen."""

    def __init__(
        self, recipe: Recipe, base: Path, train: Sequence[Choice], dev: Sequence[Choice], work: Path
    ) -> None:
        self._base, self._dev = base, dev
        super().__init__(recipe, train, work)

    def build(self) -> Any:
        import torch

        encoder = low_rank_encoder(self.recipe, self._base)

        class WithHead(torch.nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.encoder = encoder
                self.head = torch.nn.Linear(encoder.config.hidden_size, 1)
                torch.nn.init.constant_(self.head.weight, _STEEP)
                torch.nn.init.constant_(self.head.bias, -_STEEP / 2)

            def forward(self, **inputs: Any) -> Any:
                """Embeddings of length 1; shape (texts, hidden)."""
                return pooled(read(self.encoder, inputs), inputs["attention_mask"])

        return WithHead()

    def length(self, item: Choice) -> int:
        return len(item.text.ids) + sum(len(each.ids) for each in item.candidates)

    def loss(self, items: Sequence[Choice]) -> Any:
        import torch

        losses = [
            _loss(scores, torch.tensor(item.right, device=scores.device))
            for scores, item in zip(self._scored(items), items, strict=True)
        ]
        return torch.stack(losses).mean()

    def judge(self) -> Judged:
        import torch

        scores = self.scores()
        losses = [
            float(_loss(torch.from_numpy(own), torch.tensor(item.right)))
            for own, item in zip(scores, self._dev, strict=True)
        ]
        chosen = [is_chosen(own, item.right) for own, item in zip(scores, self._dev, strict=True)]
        return Judged(float(np.mean(chosen)), float(np.mean(losses)))

    def trained(self) -> Trained:
        return Trained(self.delta(), self.curve, self.best_epoch(), self._temperature())

    def scores(self) -> list[Floats]:
        """Of the development rows: shape (candidates,) each."""
        import torch

        self.model.eval()
        size = self.recipe.batch
        batches = [self._dev[at : at + size] for at in range(0, len(self._dev), size)]
        with torch.no_grad():
            return [own.float().cpu().numpy() for batch in batches for own in self._scored(batch)]

    def _scored(self, items: Sequence[Choice]) -> list[Any]:
        """Of each row the scores of its candidates. A text that several rows name is read once."""
        import torch

        texts = {tuple(each.ids): each for item in items for each in (item.text, *item.candidates)}
        vectors = self.model(**inputs_of(list(texts.values()), self.accelerator.device))
        vector_of, head = dict(zip(texts, vectors, strict=True)), self.bare_model().head
        scores = []
        for item in items:
            candidates = torch.stack([vector_of[tuple(each.ids)] for each in item.candidates])
            scores.append(head(vector_of[tuple(item.text.ids)] * candidates)[:, 0])
        return scores

    def _temperature(self) -> float:
        fits = np.concatenate(self.scores())
        right = np.array([place for item in self._dev for place in item.right], dtype=np.int64)
        return best_temperature(np.stack([np.zeros_like(fits), fits], axis=1), right)


def is_chosen(scores: Floats, right: Sequence[bool]) -> bool:
    """Whether the best of those that are likelier to fit than not is right; or none, where none is."""
    best = int(np.argmax(scores))
    return bool(right[best]) if scores[best] > 0 else not any(right)


def _loss(scores: Any, right: Any) -> Any:
    import torch

    fits = torch.nn.functional.binary_cross_entropy_with_logits(scores, right.to(scores.dtype))
    if not right.any():
        return fits
    return fits + torch.nn.functional.cross_entropy(scores[None], right.to(torch.int64).argmax()[None])
