"""Language identification by a fastText model: one file with the ending .ftz or .bin.

`fasttext-predict` is the inference half of fastText in one small wheel. It can do nothing but classify.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.errors import ModelError, StoreError
from orchestrator.runtimes.base import Language, LoadOptions
from orchestrator.runtimes.worker import Worker
from orchestrator.types import ModelCard

_LABEL = "__label__"


def load(card: ModelCard, options: LoadOptions) -> FasttextSession:
    """Load the model; blocking. Raises StoreError for an unusable folder."""
    import fasttext

    file = _model_file(card, options.folder)
    try:
        model = fasttext.load_model(str(file))
    except Exception as error:
        raise StoreError(
            f"Model {card.name!r} in {file} cannot be loaded: {error}.",
            hint=f"Type `lilliput models rm {card.name}` and pull it again.",
        ) from error
    return FasttextSession(card, model, file.stat().st_size)


def _model_file(card: ModelCard, folder: Path) -> Path:
    found = sorted(file for ending in ("*.ftz", "*.bin") for file in folder.glob(ending))
    if not found:
        raise StoreError(
            f"Model {card.name!r} has no .ftz or .bin file in {folder}.",
            hint=f"Type `lilliput models pull {card.name}`.",
        )
    return found[0]


class FasttextSession:
    """One loaded language identifier."""

    def __init__(self, card: ModelCard, model: Any, weights_bytes: int) -> None:
        self.card = card
        self.resident_bytes = weights_bytes
        self._model = model
        self._worker = Worker(card.name)

    async def detect(self, texts: Sequence[str]) -> list[Language]:
        if self._model is None:
            raise ModelError(f"The session of model {self.card.name!r} is closed.")
        return await self._worker.run(lambda stop: [self._detect(text) for text in texts])

    def close(self) -> None:
        self._worker.close()
        self._model = None

    def _detect(self, text: str) -> Language:
        # fastText reads one line a text: a newline ends it, and the binding refuses it.
        labels, probabilities = self._model.predict(" ".join(text.split()), k=1)
        if not len(labels):
            return Language(code="und", probability=0.0)
        # fastText's softmax may come out a few millionths above 1.
        probability = min(1.0, float(probabilities[0]))
        return Language(code=labels[0].removeprefix(_LABEL), probability=probability)
