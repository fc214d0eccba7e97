"""Encoders with a last layer of their own: specialists that sort a text, tag its parts, or judge two texts.

The layer is in the ONNX graph, as its output `scores`; `head.json` beside it says what they mean, and holds
the few numbers by which two texts are compared. Here scores become probabilities, and tags of words become
parts of the text.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import ModelError, StoreError
from orchestrator.memo import VectorMemo
from orchestrator.runtimes.base import Classified, PairScores, Tagged, TaggedTexts
from orchestrator.runtimes.encoder import EncoderSession
from orchestrator.runtimes.worker import Stopped
from orchestrator.types import Head, ModelCard

Floats = NDArray[np.float32]
LINE_BREAK = "line_break"  # in a card's options: what a line break is shown as
_KEPT_TEXTS = 10_000
_NEVER = -1e9


def with_head(card: ModelCard, session: Any, tokenizer: Any, weights_bytes: int, head: Head) -> HeadSession:
    """The session for this kind of head."""
    kinds = {"classify": ClassifierSession, "tag": TaggerSession, "score-pairs": PairScorerSession}
    return kinds[head.kind](card, session, tokenizer, weights_bytes, head)


class HeadSession(EncoderSession):
    """One loaded specialist. It still embeds: what it was asked can be held against what it has learnt."""

    def __init__(self, card: ModelCard, session: Any, tokenizer: Any, weights_bytes: int, head: Head) -> None:
        super().__init__(card, session, tokenizer, weights_bytes)
        self.head = head
        self._line_break = str(card.options.get(LINE_BREAK) or "\n")

    def _seen(self, texts: Iterable[str]) -> list[str]:
        return [with_lines(text, self._line_break) for text in texts]

    async def _in_turn(self, encodings: Sequence[Any]) -> tuple[list[Floats], int, float]:
        """The scores of each text, how many tokens were read, and in what time."""
        if self._session is None:
            raise ModelError(f"The session of model {self.card.name!r} is closed.")
        return await self._worker.run(lambda stop: self._all_scores(encodings, stop))

    def _all_scores(self, encodings: Sequence[Any], stop: Event) -> tuple[list[Floats], int, float]:
        started, found = time.perf_counter(), []
        for encoding in encodings:
            if stop.is_set():
                raise Stopped
            found.append(self._scores(encoding) / np.float32(self.head.temperature))
        return found, sum(len(encoding.ids) for encoding in encodings), time.perf_counter() - started

    def _scores(self, encoding: Any) -> Floats:
        """(labels,) for a text, (tokens, labels) for tags. One at a time: see encoder.py."""
        ids = np.array([encoding.ids], dtype=np.int64)
        types = np.array([encoding.type_ids], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": types}
        wanted = {name: value for name, value in feed.items() if name in self._inputs}
        try:
            (scores,) = self._session.run(["scores"], wanted)
        except Exception as error:
            raise ModelError(f"Model {self.card.name!r} failed: {error}") from error
        return np.asarray(scores[0], dtype=np.float32)


class ClassifierSession(HeadSession):
    @property
    def labels(self) -> tuple[str | None, ...]:
        return self.head.labels

    async def classify(self, texts: Sequence[str]) -> Classified:
        scores, tokens, duration_s = await self._in_turn(self._tokenizer.encode_batch(self._seen(texts)))
        probabilities = np.stack([softmax(row) for row in scores])
        return Classified(probabilities=probabilities, prompt_tokens=tokens, duration_s=duration_s)


class PairScorerSession(HeadSession):
    """Reads the texts of a pair apart, and what is chosen from once: it comes back call after call."""

    def __init__(self, card: ModelCard, session: Any, tokenizer: Any, weights_bytes: int, head: Head) -> None:
        super().__init__(card, session, tokenizer, weights_bytes, head)
        if len(head.weights) != self._dimensions():
            raise StoreError(
                f"Model {card.name!r} has {len(head.weights)} weights for {self._dimensions()} dimensions.",
                hint=f"Type `lilliput models rm {card.name}` and pull it again.",
            )
        self._memo = VectorMemo(_KEPT_TEXTS)

    async def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> PairScores:
        """The probability that the second text fits the first; shape (pairs,)."""
        if not pairs:
            return PairScores(scores=np.zeros(0, dtype=np.float32), prompt_tokens=0, duration_s=0.0)
        firsts, candidates = (list(dict.fromkeys(texts)) for texts in zip(*pairs, strict=True))
        known = self._memo.known(self.card.name, candidates)
        wanted = list(dict.fromkeys([*firsts, *(text for text in candidates if text not in known)]))
        made = await self.embed(self._seen(wanted))
        vectors = {**known, **dict(zip(wanted, made.vectors, strict=True))}
        self._memo.put(self.card.name, {text: vectors[text] for text in candidates})
        together = np.stack([vectors[first] * vectors[second] for first, second in pairs])
        scores = together @ np.array(self.head.weights, dtype=np.float32) + np.float32(self.head.offset)
        fits = 1 / (1 + np.exp(-scores / np.float32(self.head.temperature)))
        return PairScores(
            scores=fits.astype(np.float32), prompt_tokens=made.prompt_tokens, duration_s=made.duration_s
        )


class TaggerSession(HeadSession):
    async def tag(self, texts: Sequence[str], kinds: Collection[str] | None = None) -> TaggedTexts:
        encodings = self._tokenizer.encode_batch(self._seen(texts))
        scores, tokens, duration_s = await self._in_turn(encodings)
        labels = [str(label) for label in self.head.labels]
        asked = [place for place, label in enumerate(labels) if _is_asked(label, kinds)]
        chosen = [labels[place] for place in asked]
        read = [
            parts_of(encoding, softmax(table[:, asked]), chosen)
            for encoding, table in zip(encodings, scores, strict=True)
        ]
        return TaggedTexts(
            parts=tuple(parts for parts, _ in read),
            least_sure=tuple(sure for _, sure in read),
            prompt_tokens=tokens,
            duration_s=duration_s,
        )


def with_lines(text: str, line_break: str) -> str:
    """With another character for the end of a line, of the same width: places in the text stay."""
    return text.replace("\n", line_break)


def _is_asked(label: str, kinds: Collection[str] | None) -> bool:
    return kinds is None or label == "O" or label[2:] in kinds


def parts_of(encoding: Any, probabilities: Floats, labels: Sequence[str]) -> tuple[tuple[Tagged, ...], float]:
    """The parts of one text, and the probability of the least sure choice that was made for a word of it."""
    words = first_tokens(encoding)
    if not words:
        return (), 1.0
    firsts = probabilities[[first for first, _, _ in words]]
    path = best_path(np.log(firsts + 1e-9), may_follow(labels))
    sure = firsts[np.arange(len(path)), path]
    tags = [labels[place] for place in path]
    places = [(start, end) for _, start, end in words]
    return tuple(_joined(tags, places, sure.tolist())), float(sure.min())


def may_follow(labels: Sequence[str]) -> NDArray[np.bool_]:
    """[before, after]: `I-kind` stands only behind the same kind."""
    return np.array([[not b.startswith("I-") or a in (b, f"B-{b[2:]}") for b in labels] for a in labels])


def softmax(scores: Floats) -> Floats:
    """Over the last axis."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), dtype=np.float32)


def best_path(logs: Floats, follows: NDArray[np.bool_]) -> list[int]:
    """Viterbi: the likeliest tags, one for each row of `logs` (words, tags), that may follow one another.

    What may follow the first tag of all, `O`, may also stand at the beginning.
    """
    barred = np.where(follows, 0.0, _NEVER)
    best, came_from = logs[0] + barred[0], []
    for row in logs[1:]:
        ways = best[:, None] + barred
        came_from.append(ways.argmax(axis=0))
        best = ways.max(axis=0) + row
    path = [int(best.argmax())]
    for step in reversed(came_from):
        path.append(int(step[path[-1]]))
    return path[::-1]


def first_tokens(encoding: Any) -> list[tuple[int, int, int]]:
    """(its first token, start, end) of each word of the text. The first token speaks for the word."""
    known: dict[int, tuple[int, int, int]] = {}
    for token, (word, (start, end)) in enumerate(zip(encoding.word_ids, encoding.offsets, strict=True)):
        if word is not None:
            first, begin, _ = known.get(word, (token, start, end))
            known[word] = (first, begin, end)
    return list(known.values())


def _joined(
    tags: Sequence[str], places: Sequence[tuple[int, int]], sure: Sequence[float]
) -> Iterator[Tagged]:
    """`B-kind I-kind I-kind` is one part."""
    begin = 0
    for index, tag in enumerate(tags):
        if tag.startswith("B-"):
            begin = index
        ends = index + 1 == len(tags) or not tags[index + 1].startswith("I-")
        if tag != "O" and ends:
            yield Tagged(
                kind=tag[2:],
                start=places[begin][0],
                end=places[index][1],
                probability=min(sure[begin : index + 1]),
            )
