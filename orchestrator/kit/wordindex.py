"""BM25 over a fixed set of texts: which of them holds the rare words of a question?

A score is divided by what a text of ordinary length with every word of the question once would get, so that
it lies between 0 and 1 like a cosine, and the two can be added.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from orchestrator.kit.words import all_words

# The usual constants: how fast repeats stop counting, and how much length is held against a text.
_K1, _B = 1.2, 0.75
Floats = NDArray[np.float64]
_NOWHERE = (np.array([], dtype=np.intp), np.array([], dtype=np.float64))


class WordIndex:
    """Built once, asked often. Where each word stands is kept, not each text's words: questions are short."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._size = len(texts)
        lengths = np.zeros(len(texts))
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for place, text in enumerate(texts):
            bag = Counter(all_words(text))
            lengths[place] = bag.total()
            for word, count in bag.items():
                found[word].append((place, count))
        longness = 1 - _B + _B * lengths / max(float(lengths.mean()) if len(texts) else 0.0, 1.0)
        self._postings = {word: self._posting(pairs, longness) for word, pairs in found.items()}

    def _posting(self, pairs: Sequence[tuple[int, int]], longness: Floats) -> tuple[NDArray[np.intp], Floats]:
        """Where a word stands, and what it is worth there."""
        places, counts = np.array(pairs, dtype=np.intp).T
        rarity = self._rarity(len(places))
        return places, rarity * counts * (_K1 + 1) / (counts + _K1 * longness[places])

    def _rarity(self, holders: int) -> float:
        return math.log(1 + (self._size - holders + 0.5) / (holders + 0.5))

    def scores(self, question: str) -> Floats:
        """One score a text, between 0 and 1; all 0 for a question without content words."""
        scores, best = np.zeros(self._size), 0.0
        for word in set(all_words(question)):
            places, worth = self._postings.get(word, _NOWHERE)
            scores[places] += worth
            best += self._rarity(len(places))
        return np.clip(scores / best, 0.0, 1.0) if best else scores


@lru_cache(maxsize=8)
def word_index(texts: tuple[str, ...]) -> WordIndex:
    """The index of these texts, which is built again only for others."""
    return WordIndex(texts)
