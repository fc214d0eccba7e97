"""The decode loop, with a model that is a function from its last token to scores."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from threading import Event
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ModelError
from orchestrator.runtimes.decoding import (
    CHUNK_TOKENS,
    Decoded,
    Decoding,
    Order,
    Scores,
    choose,
    chunks,
    logprob,
    masked,
)
from orchestrator.runtimes.guidance import Constraint
from orchestrator.runtimes.text import TextOut
from orchestrator.runtimes.worker import Stopped

LETTERS = "abcdefghij"
END = len(LETTERS)
RANDOM = np.random.default_rng(0)


class Alphabet:
    """A model that knows the alphabet: after each letter the next one, after the last the end."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.feeds: list[int] = []

    def feed(self, tokens: Sequence[int], rows: int) -> Scores:
        self.seen.extend(tokens)
        self.feeds.append(len(tokens))
        scores = np.zeros((max(rows, 1), END + 1), dtype=np.float32)
        for row, token in enumerate(tokens[-max(rows, 1) :]):
            scores[row, min(token + 1, END)] = 5.0
        return scores


class Forcing:
    """A grammar that forces `forced` at first, then allows everything, or `only` some tokens."""

    def __init__(self, forced: list[int], ends: bool = False, only: Set[int] | None = None) -> None:
        self._forced = forced
        self._only = only
        self._ends = ends
        self.accepted: list[int] = []

    @property
    def complete(self) -> bool:
        return self._ends and not self._forced

    def forced(self, limit: int) -> list[int]:
        now, self._forced = self._forced[:limit], self._forced[limit:]
        return now

    def allowed(self) -> Any:
        return np.array([self._only is None or token in self._only for token in range(END + 1)])

    def accept(self, token: int) -> None:
        self.accepted.append(token)


def decode(model: Alphabet, prompt: Sequence[int] = (0, 1), **fields: Any) -> tuple[Decoded, str]:
    text = TextOut(fields.pop("stop", ()))
    constraint = cast("Constraint | None", fields.pop("constraint", None))
    order = Order(
        prompt=prompt,
        max_tokens=fields.pop("max_tokens", 100),
        end_tokens=frozenset({END}),
        decode=lambda token: LETTERS[token],
        text=text,
        constraint=constraint,
        **fields,
    )
    return Decoding(model, order, Event()).run(), text.text


def test_it_decodes_to_the_end_token_and_leaves_that_out() -> None:
    done, text = decode(Alphabet())
    assert (text, done.finish, len(done.tokens)) == ("cdefghij", "stop", 8)


def test_the_budget_ends_it() -> None:
    done, text = decode(Alphabet(), max_tokens=3)
    assert (text, done.finish) == ("cde", "length")


def test_the_last_token_of_the_budget_is_not_fed() -> None:
    model = Alphabet()
    decode(model, max_tokens=3)
    assert model.seen == [0, 1, 2, 3]


def test_a_stop_string_ends_it_as_complete() -> None:
    done, text = decode(Alphabet(), stop=("fg",))
    assert (text, done.finish) == ("cde", "stop")


def test_forced_tokens_go_along_in_the_same_pass() -> None:
    model = Alphabet()
    _, text = decode(model, constraint=Forcing([5, 6]))
    assert text == "fghij"
    assert model.feeds == [4, 1, 1, 1]


def test_forced_tokens_stay_within_the_budget() -> None:
    model = Alphabet()
    done, text = decode(model, constraint=Forcing([5] * 50), max_tokens=7)
    assert (text, done.finish) == ("f" * 7, "length")
    assert len(model.seen) <= 2 + 7


def test_an_answer_without_a_choice_costs_no_pass() -> None:
    model = Alphabet()
    done, text = decode(model, constraint=Forcing([5, 6], ends=True))
    assert (text, done.finish, model.feeds) == ("fg", "stop", [])


def test_an_answer_that_completes_with_its_last_token_is_complete() -> None:
    done, _ = decode(Alphabet(), constraint=Forcing([5, 6], ends=True), max_tokens=2)
    assert done.finish == "stop"


@pytest.mark.parametrize("forced", [[], [5, 6]])
def test_every_token_has_its_log_probability(forced: list[int]) -> None:
    done, _ = decode(Alphabet(), constraint=Forcing(forced) if forced else None, logprobs=True)
    assert len(done.logprobs) == len(done.tokens)
    certain = math.log(math.exp(5) / (math.exp(5) + END))
    assert done.logprobs[-1] == pytest.approx(certain, abs=1e-6)
    if forced:  # the model would have said "c"; that it was forced to say "f" must show
        assert done.logprobs[0] == pytest.approx(certain - 5, abs=1e-6)


def test_a_set_flag_stops_it_before_the_next_pass() -> None:
    stop = Event()
    stop.set()
    order = Order([0, 1], 5, frozenset({END}), lambda token: "", TextOut())
    with pytest.raises(Stopped):
        Decoding(Alphabet(), order, stop).run()


def test_the_same_seed_draws_the_same_answer() -> None:
    answers = {decode(Alphabet(), temperature=4.0, seed=seed)[1] for seed in (1, 1, 1)}
    others = {decode(Alphabet(), temperature=4.0, seed=seed)[1] for seed in range(8)}
    assert len(answers) == 1
    assert len(others) > 1


def test_drawing_follows_the_probabilities_and_the_mask() -> None:
    row = np.log(np.array([0.5, 0.3, 0.2], dtype=np.float32))
    random = np.random.default_rng(0)
    allowed = np.array([True, False, True])
    drawn = np.bincount([choose(masked(row, allowed), 1.0, random) for _ in range(4000)], minlength=3) / 4000
    assert drawn == pytest.approx([5 / 7, 0, 2 / 7], abs=0.03)


def test_a_choice_is_scored_among_what_the_grammar_allows() -> None:
    done, text = decode(Alphabet(), constraint=Forcing([5, 6], only={3, 4}), max_tokens=4, logprobs=True)
    assert text == "fgde"
    assert len(done.choice_logprobs) == 2
    assert done.choice_logprobs == pytest.approx([math.log(1 / 2), -math.log(1 + math.exp(-5))], abs=1e-6)
    assert done.logprobs[2] < -5


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_a_model_error(bad: float) -> None:
    row = np.array([0.0, bad], dtype=np.float32)
    with pytest.raises(ModelError, match="not finite"):
        choose(row, 0.0, np.random.default_rng(0))


def test_a_mask_that_allows_nothing_is_a_model_error() -> None:
    with pytest.raises(ModelError, match="no token"):
        choose(masked(np.zeros(2, dtype=np.float32), np.zeros(2, dtype=np.bool_)), 0.0, RANDOM)


@given(st.lists(st.floats(-3e4, 3e4, width=32), min_size=1, max_size=50))
def test_log_probabilities_are_stable_and_sum_to_one(scores: list[float]) -> None:
    row = np.array(scores, dtype=np.float32)
    found = [logprob(row, token) for token in range(len(row))]
    assert all(value <= 1e-6 for value in found)
    assert sum(map(math.exp, found)) == pytest.approx(1.0, abs=1e-3)


@given(st.integers(1, 500))
def test_pieces_cover_the_prompt_and_leave_no_lone_token(length: int) -> None:
    pieces = [list(piece) for piece in chunks(range(length))]
    assert [token for piece in pieces for token in piece] == list(range(length))
    assert length == 1 or all(2 <= len(piece) <= CHUNK_TOKENS + 1 for piece in pieces)


def test_a_long_prompt_is_read_in_pieces() -> None:
    model = Alphabet()
    decode(model, prompt=[0] * 150, max_tokens=1)
    assert model.feeds == [64, 64, 22]
