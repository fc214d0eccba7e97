"""Real models for the tests that are marked `real`: pulled into the user's cache once, loaded once a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.runtimes.base import LoadOptions, Session
from orchestrator.runtimes.registry import load_session
from orchestrator.settings import load_settings
from orchestrator.store import ModelStore
from orchestrator.types import Conversion, ModelCard
from orchestrator.workspace import Workspace, builtin_root


class RealModels:
    """Sessions of the built-in cards by name; `<name>-torch` is the same weights as published, by torch."""

    def __init__(self) -> None:
        workspace = Workspace((builtin_root(),))
        twins = [_by_torch(card) for card in workspace.cards.values() if card.precision == "float32"]
        cards = {**workspace.cards, **{card.name: card for card in twins}}
        self._store = ModelStore(load_settings().settings.cache_dir, cards, workspace.card_folders)
        self._sessions: dict[str, Session] = {}

    def session(self, name: str) -> Session:
        if name not in self._sessions:
            self._sessions[name] = self.fresh(name)
        return self._sessions[name]

    def fresh(self, name: str) -> Session:
        """A session of its own, which the caller closes."""
        self._store.pull(name)
        card = self._store.cards[name]
        # One thread for torch: with more, its barriers crawl when the cores are shared.
        threads = 1 if card.runtime == "torch" else 2
        return load_session(card, LoadOptions(folder=self._store.folder(name), threads=threads))

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()


def _by_torch(card: ModelCard) -> ModelCard:
    options = {"gguf_file": "model.gguf"} if card.conversion.recipe == "gguf-to-genai" else {}
    changes = {
        "name": f"{card.name}-torch",
        "runtime": "torch",
        "conversion": Conversion(),
        "options": options,
    }
    return card.model_copy(update=changes)


@pytest.fixture(scope="session")
def real() -> Iterator[RealModels]:
    models = RealModels()
    yield models
    models.close()
