"""The cards that come with Lilliput: complete, honest, and consistent with one another."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from orchestrator.store.manifest import RECIPE_VERSIONS
from orchestrator.store.safety import check_card
from orchestrator.store.sources import WheelPart, parse_part
from orchestrator.types import ModelCard
from tests.store.helpers import REPOSITORY

FOLDER = REPOSITORY / "models"
CARDS = {
    path.stem: ModelCard.model_validate(yaml.safe_load(path.read_text("utf-8")))
    for path in sorted(FOLDER.glob("*.yaml"))
}
MINE = {
    *("lid-176", "minilm-l6", "minilm-l6-f32", "mpnet-base", "smollm2-135m", "smollm2-135m-f32"),
    *("qwen2.5-coder-0.5b", "qwen2.5-coder-0.5b-int4", "qwen2.5-coder-1.5b"),
}


def test_the_cards_are_there() -> None:
    assert CARDS.keys() >= MINE


@pytest.mark.parametrize("name", sorted(MINE))
def test_a_card_says_what_a_user_must_know(name: str) -> None:
    card = CARDS[name]
    assert card.name == name
    assert card.licence
    assert card.memory_bytes is not None
    assert card.languages or card.runtime == "fasttext"
    assert "hash" in card.notes
    assert card.measured
    check_card(card)
    if card.conversion.recipe != "none":
        assert card.conversion.peak_memory_bytes is not None
        assert card.conversion.disk_bytes is not None
    assert card.conversion.recipe in RECIPE_VERSIONS


@pytest.mark.parametrize("name", sorted(MINE))
def test_every_part_is_a_pinned_wheel(name: str) -> None:
    for file in CARDS[name].files:
        for part in file.parts:
            assert isinstance(parse_part(part, Path()), WheelPart)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("minilm-l6", "minilm-l6-f32"),
        ("smollm2-135m", "smollm2-135m-f32"),
        ("qwen2.5-coder-0.5b", "qwen2.5-coder-0.5b-int4"),
    ],
)
def test_precisions_of_one_model_share_their_download(one: str, other: str) -> None:
    assert CARDS[one].files == CARDS[other].files


def test_the_card_in_the_handbook_is_one() -> None:
    page = (REPOSITORY / "docs" / "models.md").read_text("utf-8")
    printed = page.split("```yaml\n")[1].split("```")[0]
    card = ModelCard.model_validate(yaml.safe_load(printed))
    assert card.name == "bge-small"
    check_card(card)
    for recipe in RECIPE_VERSIONS:
        assert f"`{recipe}`" in page


def test_the_larger_model_is_the_reference() -> None:
    assert [card.name for card in CARDS.values() if card.role == "reference"] == ["qwen2.5-coder-1.5b"]
