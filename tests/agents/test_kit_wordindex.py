"""BM25 over a fixed set of texts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from orchestrator.kit.wordindex import WordIndex, word_index


def test_scores_lie_between_zero_and_one() -> None:
    scores = WordIndex(["remove the paper jam", "ask for leave", "paper"]).scores("paper jam")
    assert np.argmax(scores) == 0
    assert scores[1] == 0
    assert 0 < scores[2] < scores[0] <= 1


def test_a_question_without_content_words_finds_nothing() -> None:
    assert not WordIndex(["a b"]).scores("the of").any()
    assert WordIndex([]).scores("paper").shape == (0,)


def test_a_score_by_hand() -> None:
    # Two texts of two words each, so neither is long; `jam` is in one of two, `paper` in both.
    rare, common = math.log(1 + 1.5 / 1.5), math.log(1 + 0.5 / 2.5)
    scores = WordIndex(["paper jam", "paper cup"]).scores("paper jam")
    assert scores.tolist() == pytest.approx([1.0, common / (rare + common)])


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    scores = WordIndex(["red box", "red bag", "red fish", "blue fish bowl"]).scores("red bowl")
    assert np.argmax(scores) == 3


def test_an_index_is_built_once() -> None:
    assert word_index(("a",)) is word_index(("a",))
