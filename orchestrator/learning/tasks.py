"""What an encoder learns: which numbers an example becomes, what is lost when it is wrong, how good it is.

One class a kind of answer. torch is imported only where a loss is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import UserError
from orchestrator.kit.spans import Span, span_scores, spans_in
from orchestrator.learning.curve import Trained
from orchestrator.learning.examples import Example
from orchestrator.learning.recipes import Recipe
from orchestrator.runtimes.heads import first_tokens, parts_of, softmax
from orchestrator.types import Head, Json, Learns

Floats = NDArray[np.float32]
_NOT_ASKED = -100  # the target that torch's cross entropy leaves out
_SHIFTS_OF_OUTSIDE = [step / 4 for step in range(-16, 9)]
_HAIR = 1e-3  # a score on the line itself belongs to the label


class Row(NamedTuple):
    """One example as tokens. `target`: a label's place, or one for each token."""

    example: Example
    encoding: Any
    target: int | list[int]


class Task(Protocol):
    head: Head

    def row(self, example: Example, encoding: Any) -> Row:
        """Raises UserError for an answer that is none of the task's."""

    def loss(self, scores: Any, rows: Sequence[Row], smoothing: float) -> Any:
        """A torch scalar, from torch scores of shape (rows, [tokens,] labels)."""

    def quality(self, scores: Sequence[Floats], rows: Sequence[Row]) -> float:
        """In [0, 1]; scores without padding."""

    def shift(self, scores: Sequence[Floats], rows: Sequence[Row], recipe: Recipe) -> Floats:
        """What to add to the head's bias; shape (labels,). See `LabelTask` and `SpanTask`."""

    def temperature(self, scores: Sequence[Floats], rows: Sequence[Row]) -> float:
        """See `best_temperature`; of every choice that the rows ask for."""


def task_for(learns: Learns, fixed: Json, examples: Sequence[Example]) -> Task:
    """The task of an agent, with the choices that its inputs give, or else those that the examples show."""
    if learns.kind == "spans":
        kinds = _choices(learns, fixed) or sorted({part["kind"] for e in examples for part in e.answer})
        return SpanTask(tuple(kinds))
    if learns.kind == "label":
        seen = {example.answer for example in examples}
        labels: list[str | None] = _choices(learns, fixed) or sorted(label for label in seen if label)
        return LabelTask((*labels, *((None,) if None in seen else ())))
    raise UserError("An encoder learns labels, choices and parts of a text; this agent writes.")


def _choices(learns: Learns, fixed: Mapping[str, Any]) -> list[Any]:
    return list(dict.fromkeys(fixed.get(learns.choices or "") or ()))


class LabelTask:
    """One label a text. A label None, where the examples show it, says that none fits.

    What fits none is of any kind and is shown in few examples, so that a head learns to call nearly nothing
    so. `shift` therefore raises None until `none_at_most` of the rows with a label are lost to it.
    """

    def __init__(self, labels: tuple[str | None, ...]) -> None:
        self.head = Head(kind="classify", labels=labels)
        self._places = {label: place for place, label in enumerate(labels)}

    def row(self, example: Example, encoding: Any) -> Row:
        if example.answer not in self._places:
            raise UserError(f"{example.origin}: {example.answer!r} is none of the labels.")
        return Row(example, encoding, self._places[example.answer])

    def loss(self, scores: Any, rows: Sequence[Row], smoothing: float) -> Any:
        import torch

        targets = torch.tensor([row.target for row in rows], device=scores.device)
        return torch.nn.functional.cross_entropy(scores, targets, label_smoothing=smoothing)

    def quality(self, scores: Sequence[Floats], rows: Sequence[Row]) -> float:
        """Accuracy."""
        return float(np.mean([int(s.argmax()) == row.target for s, row in zip(scores, rows, strict=True)]))

    def shift(self, scores: Sequence[Floats], rows: Sequence[Row], recipe: Recipe) -> Floats:
        none, none_at_most = self._places.get(None), recipe.none_at_most
        shift = np.zeros(len(self.head.labels), dtype=np.float32)
        if none is None or none_at_most is None:
            return shift
        with_label = [s for s, row in zip(scores, rows, strict=True) if row.target != none]
        if not with_label:
            return shift
        # How far None lies below the best label; at the quantile so many of them lie nearer.
        below = sorted(float(np.delete(s, none).max() - s[none]) for s in with_label)
        shift[none] = below[int(none_at_most * len(below))] - _HAIR
        return shift

    def temperature(self, scores: Sequence[Floats], rows: Sequence[Row]) -> float:
        return best_temperature(np.stack(scores), np.array([row.target for row in rows]))


class SpanTask:
    """A word's first token speaks for the word, as in `runtimes/heads.py`.

    Most words belong to no part, so that a tagger which learnt from few texts marks too little. `shift` takes
    from O, or adds to it, what marks the development rows best, where the recipe asks for it.
    """

    def __init__(self, kinds: tuple[str, ...]) -> None:
        labels = ("O", *(f"{mark}-{kind}" for kind in kinds for mark in "BI"))
        self.head = Head(kind="tag", labels=labels)
        self._places = {label: place for place, label in enumerate(labels)}

    def row(self, example: Example, encoding: Any) -> Row:
        target = [_NOT_ASKED] * len(encoding.ids)
        spans = [Span(part["kind"], part["start"], part["end"]) for part in example.answer]
        for token, start, end in first_tokens(encoding):
            target[token] = self._places[_tag(start, end, spans, example)]
        return Row(example, encoding, target)

    def loss(self, scores: Any, rows: Sequence[Row], smoothing: float) -> Any:
        import torch

        longest = scores.shape[1]
        padded = [[*targets, *[_NOT_ASKED] * (longest - len(targets))] for targets in _each(rows)]
        return torch.nn.functional.cross_entropy(
            scores.flatten(0, 1),
            torch.tensor(padded, device=scores.device).flatten(),
            label_smoothing=smoothing,
        )

    def quality(self, scores: Sequence[Floats], rows: Sequence[Row]) -> float:
        """F1 of the parts: kind and both ends right."""
        labels = [str(label) for label in self.head.labels]
        pairs = []
        for table, row in zip(scores, rows, strict=True):
            parts, _ = parts_of(row.encoding, softmax(table), labels)
            pairs.append(
                (spans_in(row.example.answer), frozenset(Span(p.kind, p.start, p.end) for p in parts))
            )
        return span_scores(pairs)["slot_f1"]

    def shift(self, scores: Sequence[Floats], rows: Sequence[Row], recipe: Recipe) -> Floats:
        """That of O which marks the development rows best; of several as good the least."""
        if not recipe.outside_by_dev:
            return np.zeros(self.head.width, dtype=np.float32)
        outside = np.eye(self.head.width, dtype=np.float32)[self._places["O"]]
        tried = sorted(_SHIFTS_OF_OUTSIDE, key=abs)
        return max((by * outside for by in tried), key=lambda s: self.quality([t + s for t in scores], rows))

    def temperature(self, scores: Sequence[Floats], rows: Sequence[Row]) -> float:
        targets = np.concatenate([np.array(each) for each in _each(rows)])
        asked = targets != _NOT_ASKED
        return best_temperature(np.concatenate(scores)[asked], targets[asked])


def settled(
    task: Task, trained: Trained, recipe: Recipe, scores: Sequence[Floats], rows: Sequence[Row]
) -> Trained:
    """With its bias shifted and its temperature, by the development rows and the scores that they got."""
    shift = task.shift(scores, rows, recipe)
    shifted = [score + shift for score in scores]
    tensors = {**trained.tensors, "head.bias": trained.tensors["head.bias"] + shift}
    return trained._replace(tensors=tensors, temperature=task.temperature(shifted, rows))


def best_temperature(scores: Floats, places: NDArray[np.int64]) -> float:
    """By what to divide scores (n, labels) so that the right places get the highest likelihood.

    Temperature scaling (Guo et al., arXiv 1706.04599), by trying: one number needs no optimiser.
    """
    tried = np.geomspace(0.2, 5.0, 65)
    return float(min(tried, key=lambda temperature: cross_entropy(scores / temperature, places)))


def cross_entropy(scores: Floats, places: NDArray[np.int64]) -> float:
    """Mean over the rows, in nats."""
    exact = scores.astype(np.float64)
    highest = exact.max(axis=1)
    total = highest + np.log(np.exp(exact - highest[:, None]).sum(axis=1))
    return float((total - exact[np.arange(len(places)), places]).mean())


def _each(rows: Sequence[Row]) -> list[list[int]]:
    return [row.target for row in rows if isinstance(row.target, list)]


def _tag(start: int, end: int, spans: Sequence[Span], example: Example) -> str:
    """The tag of the word at `start` to `end`. Raises UserError where a part begins or ends inside it."""
    for span in spans:
        if span.start <= start and end <= span.end:
            return f"{'B' if span.start == start else 'I'}-{span.kind}"
    return "O"
