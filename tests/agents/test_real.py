"""The crew with real models, on examples of its own: few, because each takes a second or more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from orchestrator.runtimes.base import LoadOptions, Session
from orchestrator.runtimes.registry import load_session
from orchestrator.settings import load_settings
from orchestrator.store import ModelStore
from tests.agents.crew import ask, workspace

pytestmark = pytest.mark.real
SESSIONS = {
    "triage": "minilm-l6",
    "choose-tool": "minilm-l6",
    "find-answer": "minilm-l6",
    "language": "lid-176",
    "call-tool": "qwen2.5-coder-0.5b",
}


class Models:
    """Installed on first use, loaded once."""

    def __init__(self) -> None:
        cards = workspace().cards
        self._store = ModelStore(load_settings().settings.cache_dir, cards, workspace().card_folders)
        self._sessions: dict[str, Session] = {}

    def session(self, name: str) -> Session:
        if name not in self._sessions:
            self._store.pull(name)
            options = LoadOptions(folder=self._store.folder(name), threads=2)
            self._sessions[name] = load_session(workspace().card(name), options)
        return self._sessions[name]

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    made = Models()
    yield made
    made.close()


def _examples() -> Iterator[Any]:
    for name in SESSIONS:
        text = (workspace().agents[name].folder / "examples.yaml").read_text()
        for example in yaml.safe_load(text):
            yield pytest.param(name, example, id=f"{name}: {example['name']}")


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


@pytest.mark.parametrize(("name", "example"), list(_examples()))
async def test_an_agents_own_example(models: Models, name: str, example: dict[str, Any]) -> None:
    asked = await ask(name, example["input"], models.session(SESSIONS[name]))
    assert {path: _at(asked.output, path) for path in example["expect"]} == example["expect"]
    assert not asked.refused


@pytest.mark.parametrize("place", [0, 1])
async def test_the_service_desk_sorts_answers_and_drafts(models: Models, place: int) -> None:
    """The two messages of the demo, English and Dutch, step by step."""
    workflow = workspace().workflow("service-desk")
    text = (await ask("redact", {"text": workflow.examples[place]["text"]})).output["text"]
    language = (await ask("language", {"text": text}, models.session("lid-176"))).output["language"]
    labels = workflow.values["labels"]
    label = (await ask("triage", {"text": text, "labels": labels}, models.session("minilm-l6"))).output
    question = {"question": text, "folder": workflow.values["handbook"]}
    found = (await ask("find-answer", question, models.session("minilm-l6"))).output
    assert (language, label["label"], found["file"]) == [
        ("en", "network", "network.en.md"),
        ("nl", "printer", "printers.nl.md"),
    ][place]
    draft = {"text": text, "language": language, "passage": found["quote"]}
    asked = await ask("draft-reply", draft, models.session("qwen2.5-coder-0.5b"))
    assert not asked.refused
