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


class WordIndex:
    """Built once, asked often. Where each word stands is kept, not each text's words: questions are short."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._size = len(texts)
        self._places: dict[str, list[tuple[int, int]]] = defaultdict(list)
        lengths = np.zeros(len(texts))
        for place, text in enumerate(texts):
            bag = Counter(all_words(text))
            lengths[place] = bag.total()
            for word, count in bag.items():
                self._places[word].append((place, count))
        self._longness = 1 - _B + _B * lengths / max(float(lengths.mean()) if len(texts) else 0.0, 1.0)

    def scores(self, question: str) -> NDArray[np.float64]:
        """One score a text, between 0 and 1; all 0 for a question without content words."""
        scores, best = np.zeros(self._size), 0.0
        for word in set(all_words(question)):
            found = self._places.get(word, [])
            rarity = math.log(1 + (self._size - len(found) + 0.5) / (len(found) + 0.5))
            for place, count in found:
                scores[place] += rarity * count * (_K1 + 1) / (count + _K1 * self._longness[place])
            best += rarity
        return np.clip(scores / best, 0.0, 1.0) if best else scores


@lru_cache(maxsize=8)
def word_index(texts: tuple[str, ...]) -> WordIndex:
    """The index of these texts, which is built again only for others."""
    return WordIndex(texts)
