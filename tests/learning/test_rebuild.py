"""The quickest of the shipped specialists, made again from its rows and recipe, says the same."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.runtimes.base import LoadOptions
from orchestrator.runtimes.registry import load_session
from orchestrator.settings import load_settings
from orchestrator.store import ModelStore
from orchestrator.workspace import Workspace, builtin_root
from tests.cli.conftest import Lilliput, lilliput

pytestmark = [pytest.mark.real, pytest.mark.slow]  # two minutes
__all__ = ["lilliput"]
SHIPPED = "presidio-1"


def test_a_shipped_specialist_made_again_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lilliput: Lilliput
) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "lilliput.yaml").write_text("{}\n", "utf-8")
    monkeypatch.setenv("LILLIPUT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    fetched = lilliput("bench", "rows", "presidio", "-o", "presidio.jsonl")
    if fetched.code:
        pytest.skip(f"presidio's sentences cannot be fetched: {fetched.err}")
    collect = ("--agent", "tag-spans", "--file", "presidio.jsonl", "--split", "split", "--public")
    for command in (
        ("collect", "again", *collect, "--licence", "MIT"),
        ("scrub", "again"),
        ("train", "again", "--recipe", "encoder-many"),
    ):
        said = lilliput("learn", *command)
        assert said.code == 0, said.err
    rows = [json.loads(line) for line in (tmp_path / "presidio.jsonl").read_text("utf-8").splitlines()]
    texts = [row["text"] for row in rows if row["split"] != "train"]
    workspace = Workspace((builtin_root(), tmp_path))
    assert workspace.card(SHIPPED).specialism
    shipped, again = workspace.card(SHIPPED).specialism, workspace.card("again-1").specialism
    assert shipped is not None
    assert again is not None
    assert (again.data_hash, again.recipe_hash, again.kinds) == (
        shipped.data_hash,
        shipped.recipe_hash,
        shipped.kinds,
    )
    assert said_by(workspace, "again-1", texts) == said_by(workspace, SHIPPED, texts)


def said_by(workspace: Workspace, name: str, texts: list[str]) -> list[list[tuple[Any, ...]]]:
    settings = load_settings().settings
    store = ModelStore(settings.cache_dir, workspace.cards, workspace.card_folders)
    store.pull(name)
    session: Any = load_session(workspace.card(name), LoadOptions(folder=store.folder(name), threads=2))
    try:
        found = asyncio.run(session.tag(texts))
    finally:
        session.close()
    return [[(part.kind, part.start, part.end) for part in parts] for parts in found.parts]
