"""The specialists that come with Lilliput: their cards say what made them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.learning.recipes import Recipe
from orchestrator.store.delta import read_delta
from orchestrator.workspace import Workspace, builtin_root

SHELF = builtin_root() / "models" / "specialists"
NAMES = sorted(folder.name for folder in SHELF.glob("*-*") if (folder / "lineage.json").is_file())


@pytest.mark.parametrize("name", NAMES)
def test_a_card_says_what_made_it(name: str) -> None:
    card = Workspace((builtin_root(),)).card(name)
    lineage = json.loads((SHELF / name / "lineage.json").read_text("utf-8"))
    assert card.specialism
    assert card.specialism.recipe_hash == Recipe.model_validate(lineage["recipe"]).key
    assert card.specialism.data_hash == lineage["data_hash"]
    assert f"on {len(lineage['texts']['train']):,} examples" in card.description


@pytest.mark.parametrize("name", NAMES)
def test_a_delta_is_small_and_what_its_card_says(name: str) -> None:
    delta = SHELF / name / "delta.safetensors"
    (file,) = (f for f in Workspace((builtin_root(),)).card(name).files if f.name == delta.name)
    assert file.size_bytes == delta.stat().st_size <= 5_000_000
    assert read_delta(delta).tensors


def test_together_they_are_at_most_forty_megabytes() -> None:
    assert sum(file.stat().st_size for file in Path(SHELF).rglob("*") if file.is_file()) <= 40_000_000
