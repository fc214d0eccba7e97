"""What an encoder made of texts that are asked about again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_STACKS = 16


class VectorMemo:
    """Embeddings of texts that come back call after call (labels, tool descriptions, documents), by model.

    The least recently used are forgotten first.
    """

    def __init__(self, limit: int = 50_000) -> None:
        self._limit = limit
        self._vectors: dict[tuple[str, str], NDArray[np.float32]] = {}
        self._stacks: dict[tuple[str, tuple[str, ...]], NDArray[np.float32]] = {}

    def stack(self, model: str, texts: tuple[str, ...]) -> NDArray[np.float32] | None:
        """The vectors of exactly these texts as one array, if they were last asked for together."""
        return self._stacks.get((model, texts))

    def put_stack(self, model: str, texts: tuple[str, ...], vectors: NDArray[np.float32]) -> None:
        self._stacks[model, texts] = vectors
        for oldest in list(self._stacks)[:-_STACKS]:
            del self._stacks[oldest]

    def known(self, model: str, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        found = {text: self._vectors[model, text] for text in texts if (model, text) in self._vectors}
        self.put(model, found)
        return found

    def put(self, model: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        for text, vector in vectors.items():
            self._vectors.pop((model, text), None)  # so that it goes to the end, as the newest
            self._vectors[model, text] = vector
        if (excess := len(self._vectors) - self._limit) > 0:
            for oldest in list(self._vectors)[:excess]:
                del self._vectors[oldest]
