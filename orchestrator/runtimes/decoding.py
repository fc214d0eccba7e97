"""The decode loop: a model seen as a function from tokens to scores, a constraint, and a text.

    feed what the model has not seen yet -> scores of the next token
    mask them by the grammar, choose one, hear whether it ends the answer; repeat

One loop serves onnxruntime-genai and torch, so that both mean the same by greedy, stop, budget and
log-probability. Choosing in numpy costs 0.3 ms a token, the forward pass 12 ms (135M parameters) to 100 ms
(1.5B). What the model is, and where its KV cache comes from, is the `Stepper`'s business.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import ModelError
from orchestrator.runtimes.guidance import Constraint
from orchestrator.runtimes.text import TextOut
from orchestrator.runtimes.worker import Stopped

# Prompts are fed in pieces of this many tokens: 64 is as fast as all at once, bounds the memory for scores
# (152,000 float32 a token for Qwen) and is how soon a cancelled call stops.
CHUNK_TOKENS = 64

Scores = NDArray[np.float32]


class Stepper(Protocol):
    """A model with a KV cache that has seen some tokens."""

    def feed(self, tokens: Sequence[int], rows: int) -> Scores:
        """Append tokens; the scores of what follows each of the last `rows`, shape (rows, vocabulary).

        `rows` 0: nobody wants the scores (shape is then not defined).
        """


@dataclass(slots=True)
class Order:
    """What to decode: `prompt` holds only the tokens that the stepper has not seen."""

    prompt: Sequence[int]
    max_tokens: int
    end_tokens: frozenset[int]
    decode: Callable[[int], str]
    text: TextOut
    constraint: Constraint | None = None
    temperature: float = 0.0
    seed: int = 0
    logprobs: bool = False


@dataclass(slots=True)
class Decoded:
    """`tokens` are those of the answer; the end token is not among them."""

    finish: Literal["stop", "length"]
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    choice_logprobs: list[float] = field(default_factory=list)
    first_token_at: float | None = None


class Decoding:
    """One answer in the making."""

    def __init__(self, stepper: Stepper, order: Order, stop: Event) -> None:
        self._stepper = stepper
        self._order = order
        self._stop = stop
        self._random = np.random.default_rng(order.seed)
        self._done = Decoded("stop")

    def run(self) -> Decoded:
        """Decode to the end. Raises Stopped when the flag is set, ModelError for scores that are NaN."""
        pending = self._prefill()
        while pending:
            pending = self._step(pending)
        self._order.text.flush()
        return self._done

    def _prefill(self) -> list[int]:
        """Feed all but the last piece of the prompt, which goes along with the first forced tokens."""
        *head, last = chunks(self._order.prompt)
        for piece in head:
            self._heed()
            self._stepper.feed(piece, 0)
        return list(last)

    def _step(self, pending: list[int]) -> list[int]:
        """One forward pass: the forced tokens and one chosen token. Empty when the answer is over."""
        self._heed()
        order, constraint = self._order, self._order.constraint
        forced = constraint.forced(self._left) if constraint else []
        over = self._over(len(forced))
        if over and not order.logprobs:  # the model would have no say: spare the pass
            self._take_all(forced)
            return []
        scores = self._stepper.feed([*pending, *forced], 1 + len(forced) if order.logprobs else 1)
        if self._take_all(forced, scores) or over:
            return []
        allowed = masked(scores[-1], constraint.allowed() if constraint else None)
        token = choose(allowed, order.temperature, self._random)
        if token in order.end_tokens:
            return []
        if order.logprobs:
            self._done.choice_logprobs.append(logprob(allowed, token))
        if constraint:
            constraint.accept(token)
        return [] if self._take(token, scores[-1]) or self._over() else [token]

    @property
    def _left(self) -> int:
        return self._order.max_tokens - len(self._done.tokens)

    def _over(self, coming: int = 0) -> bool:
        """Whether nothing may follow the next `coming` tokens; then `finish` says why."""
        if self._order.constraint and self._order.constraint.complete:
            return True
        if self._left > coming:
            return False
        self._done.finish = "length"
        return True

    def _take_all(self, tokens: Sequence[int], scores: Scores | None = None) -> bool:
        rows = [None] * len(tokens) if scores is None or not self._order.logprobs else scores
        return any(self._take(token, row) for token, row in zip(tokens, rows, strict=False))

    def _take(self, token: int, row: Scores | None) -> bool:
        """Add a token to the answer; True when its text reaches a stop string."""
        done = self._done
        if done.first_token_at is None:
            done.first_token_at = time.perf_counter()
        done.tokens.append(token)
        if self._order.logprobs and row is not None:
            done.logprobs.append(logprob(row, token))
        stopped = self._order.text.push(self._order.decode(token))
        if stopped:
            done.finish = "stop"
        return stopped

    def _heed(self) -> None:
        if self._stop.is_set():
            raise Stopped


def chunks(tokens: Sequence[int]) -> Iterator[Sequence[int]]:
    """Pieces of CHUNK_TOKENS. The last is never a single token where that can be helped.

    A lone row goes through another kernel (matrix times vector), whose last bits differ; pieces of two and
    more give the same bits whatever the split, which is why a reused prompt head changes nothing.
    """
    start = 0
    while len(tokens) - start > CHUNK_TOKENS + 1:
        yield tokens[start : start + CHUNK_TOKENS]
        start += CHUNK_TOKENS
    yield tokens[start:]


def masked(row: Scores, allowed: NDArray[np.bool_] | None) -> Scores:
    """The scores, minus infinity where the grammar forbids the token."""
    return row if allowed is None else np.where(allowed[: len(row)], row, np.float32(-np.inf))


def choose(row: Scores, temperature: float, random: np.random.Generator) -> int:
    """The most likely token, or one drawn at `temperature`. Raises ModelError without a finite score."""
    best = int(np.argmax(row))
    if not np.isfinite(row[best]):
        raise ModelError("The model's scores are not finite, or its grammar allows no token.")
    if temperature <= 0:
        return best
    weights = np.exp((row.astype(np.float64) - row[best]) / temperature)
    return int(np.searchsorted(np.cumsum(weights), random.random() * weights.sum(), side="right"))


def logprob(row: Scores, token: int) -> float:
    """Natural log of the token's probability among those of the row (masked ones have none)."""
    top = row.max()
    return float(row[token] - top - np.log(np.exp(row - top).sum(dtype=np.float64)))
