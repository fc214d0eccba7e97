"""From a card to a loaded session. The runtime is imported only when a card needs it."""

from __future__ import annotations

from importlib import import_module

from orchestrator.errors import ModelUnavailable
from orchestrator.runtimes.base import LoadOptions, Session
from orchestrator.types import ModelCard

_MODULES = {
    "encoder": "encoder",
    "genai": "genai",
    "torch": "torch_runtime",
    "remote": "remote",
    "fasttext": "fasttext_runtime",
    "scripted": "scripted",
}


def load_session(card: ModelCard, options: LoadOptions) -> Session:
    """Load the model; blocking. Raises ModelUnavailable when the runtime's library is not installed."""
    try:
        module = import_module(f"orchestrator.runtimes.{_MODULES[card.runtime]}")
        session: Session = module.load(card, options)
    except ModuleNotFoundError as error:
        raise ModelUnavailable(
            f"Model {card.name!r} runs on {card.runtime!r}, which needs the package {error.name!r}.",
            hint='Type `pip install "lilliput[torch]"`.' if card.runtime == "torch" else "Install it.",
        ) from error
    return session
