"""A workspace with logged tickets, over a cache that holds the small encoder and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agent import Call, load_agent
from orchestrator.settings import load_settings
from orchestrator.store import ModelStore
from orchestrator.types import Json
from orchestrator.workspace import Workspace, builtin_root, find_workspace
from tests.learning.desk import log, messages


@pytest.fixture(scope="module")
def redact() -> Any:
    """Finds personal data in a text, as the agent of that name does."""
    agent = load_agent(find_workspace().agents["redact"])

    async def found(text: str) -> Sequence[Json]:
        answer = await agent.answer({"text": text}, Call(agent.spec, None))
        parts: list[Json] = answer.output["found"]
        return parts

    return found


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache with the small encoder alone, so that nothing of ours lands in the user's."""
    workspace = Workspace((builtin_root(),))
    theirs = ModelStore(load_settings().settings.cache_dir, workspace.cards, workspace.card_folders)
    theirs.pull("minilm-l6")
    folder = tmp_path_factory.mktemp("cache")
    for place in (theirs.folder("minilm-l6"), theirs.sources("minilm-l6")):
        shutil.copytree(place, folder / place.parent.name / place.name)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def here(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of its own with 300 logged tickets."""
    folder = tmp_path / "desk"
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "lilliput.yaml").write_text("{}\n", "utf-8")
    monkeypatch.setenv("LILLIPUT_CACHE_DIR", str(cache))
    monkeypatch.setenv("LILLIPUT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(folder)
    log(tmp_path / "state", messages(300))
    return folder
