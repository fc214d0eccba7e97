"""A workspace with logged tickets, over a cache that holds the small encoder and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.settings import load_settings
from orchestrator.store import ModelStore
from orchestrator.workspace import Workspace, builtin_root
from tests.learning.desk import log, messages


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
