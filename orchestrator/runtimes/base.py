"""What a runtime must offer: a session is one loaded model that answers one kind of call.

Three narrow protocols instead of one wide one, so that a caller can say what it needs and mypy can
hold it to it. Runtimes import their native library inside `load`, never at module level.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from orchestrator.types import GenerateRequest, Generation, ModelCard, Record

OnText = Callable[[str], None]


class Embeddings(Record):
    """L2-normalised vectors, shape (texts, dimensions), float32, and what making them cost."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    vectors: NDArray[np.float32]
    prompt_tokens: int
    duration_s: float


class Language(Record):
    """An ISO 639-1 code and its probability in [0, 1]."""

    code: str
    probability: float


class Classified(Record):
    """Probabilities, shape (texts, labels), in the order of the session's `labels`; rows sum to 1."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    probabilities: NDArray[np.float32]
    prompt_tokens: int
    duration_s: float


class Tagged(Record):
    """One part of a text, `text[start:end]`, with the probability of its least sure token."""

    kind: str
    start: int
    end: int
    probability: float


class TaggedTexts(Record):
    """The tagged parts of each text, in order."""

    parts: tuple[tuple[Tagged, ...], ...]
    least_sure: tuple[float, ...]
    prompt_tokens: int
    duration_s: float


class PairScores(Record):
    """How well the second text of each pair fits the first, in [0, 1]; shape (pairs,)."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    scores: NDArray[np.float32]
    prompt_tokens: int
    duration_s: float


class LoadOptions(Record):
    """What a session needs to know about this machine."""

    folder: Path
    threads: int
    device: str = "cpu"


@runtime_checkable
class Session(Protocol):
    """One loaded model."""

    card: ModelCard

    @property
    def resident_bytes(self) -> int:
        """Memory that unloading this session is expected to free, in bytes."""

    def close(self) -> None:
        """Free the model. A closed session answers nothing."""


@runtime_checkable
class Generator(Session, Protocol):
    async def generate(self, request: GenerateRequest, on_text: OnText | None = None) -> Generation:
        """Answer; `on_text` hears each new piece. Cancelling the task stops at the next token.

        Raises ModelError when the model or its grammar compiler fails, and InvalidInput when the
        prompt does not fit the context.
        """

    def count_tokens(self, request: GenerateRequest) -> int:
        """Prompt length in tokens after the chat template."""


@runtime_checkable
class Embedder(Session, Protocol):
    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Embed in length buckets; the order of the rows is the order of the texts."""


@runtime_checkable
class LanguageDetector(Session, Protocol):
    async def detect(self, texts: Sequence[str]) -> list[Language]:
        """The most likely language of each text."""


@runtime_checkable
class Classifier(Session, Protocol):
    @property
    def labels(self) -> tuple[str | None, ...]:
        """What it chooses from; None: that no label fits."""

    async def classify(self, texts: Sequence[str]) -> Classified:
        """The probability of each label, for each text."""


@runtime_checkable
class Tagger(Session, Protocol):
    async def tag(self, texts: Sequence[str], kinds: Collection[str] | None = None) -> TaggedTexts:
        """The parts of each text that are of these kinds; None: of all that it was trained for."""


@runtime_checkable
class PairScorer(Session, Protocol):
    async def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> PairScores:
        """How well the texts of each pair go together."""
