"""What a specialist is trained for, and what its last layer answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from orchestrator.types.base import Name, Record

HEAD_FILE = "head.json"  # in an installed model's folder


class Learns(Record):
    """How a specialist for an agent is trained from what the agent answered.

    It reads the input `text` and answers the output `answer`: one of the labels in the input `choices`
    (`kind: label`), parts of the text of the kinds in `choices` (`kind: spans`), the name of one of the
    things in `choices`, which are others in each call (`kind: choice`), or anything (`kind: json`). The
    inputs in `fixed` define the task: what was learnt with one value of them holds for no other.
    `under`: a model writes the answer under this name, in an object of its own; None: it writes the answer.
    """

    kind: Literal["label", "spans", "choice", "json"]
    text: str = "text"
    answer: str
    choices: str | None = None
    fixed: tuple[str, ...] = ()
    under: str | None = None

    def kinds_in(self, inputs: Mapping[str, Any]) -> frozenset[str]:
        """What is to be marked in a text; nothing, where labels or anything else is answered."""
        return frozenset(inputs.get(str(self.choices)) or ()) if self.kind == "spans" else frozenset()


class Specialism(Record):
    """What a model was trained for: one agent, with some of that agent's inputs always the same.

    `fixed`: sha256 of the canonical JSON of each such input (`hash_of`). It answers calls with exactly these,
    and no others: a head for ten labels knows nothing of an eleventh. `kinds`: what it marks in a text, of
    which it answers for any part, because a kind that nobody asked for is left out; empty for the others.
    """

    agent: Name
    base: Name
    recipe: Name
    recipe_hash: str
    data_hash: str
    fixed: Mapping[str, str] = {}
    kinds: tuple[str, ...] = ()
    trained_at: str
    commit: str | None = None


class Head(Record):
    """The last layer of a specialist that is an encoder.

    `classify`: one of `labels` for a text. `tag`: one of `labels` for each token, as `O`, `B-kind`, `I-kind`.
    `score-pairs`: one number for two texts, no labels: the product of their embeddings, each of length 1,
    number by number, times `weights`, plus `offset`; both come from the delta when it is installed. A label
    None means that none fits. Scores are divided by `temperature` before they become probabilities.
    """

    kind: Literal["classify", "tag", "score-pairs"]
    labels: tuple[str | None, ...] = ()
    temperature: float = Field(default=1.0, gt=0)
    weights: tuple[float, ...] = ()
    offset: float = 0.0

    @property
    def width(self) -> int:
        return max(len(self.labels), 1)
