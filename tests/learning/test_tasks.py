"""Where "none fits" begins, and how sure a head then is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from orchestrator.errors import UserError
from orchestrator.learning.curve import Epoch, Trained
from orchestrator.learning.examples import Example
from orchestrator.learning.recipes import Recipe, all_recipes, read_recipe
from orchestrator.learning.tasks import LabelTask, Row, SpanTask, settled
from orchestrator.workspace import Workspace, builtin_root

TASK = LabelTask(("ball", "car", None))
EPOCH = Epoch(epoch=1, loss=0.0, dev_quality=1.0, dev_loss=0.0)


def at_most_lost(share: float) -> Recipe:
    return Recipe(name="r", description="", method="encoder", base="tiny", none_at_most=share)


def rows_of(answers: list[str | None]) -> list[Row]:
    return [
        TASK.row(Example(text=f"t{n}", answer=a, by="file", origin="f"), None) for n, a in enumerate(answers)
    ]


def scores_of(answers: list[str | None], seed: int = 0) -> list[np.ndarray]:
    """A head that calls nothing None by itself, though what is None lies nearer to it."""
    random = np.random.default_rng(seed)
    made = []
    for answer in answers:
        places = (
            [1.0, 1.0, -6.0] if answer is None else [5.0, 0.0, -6.0] if answer == "ball" else [0.0, 5.0, -6.0]
        )
        made.append(np.array(places, dtype=np.float32) + random.normal(size=3).astype(np.float32))
    return made


ANSWERS: list[str | None] = [*["ball", "car"] * 100, *[None] * 40]


@pytest.mark.parametrize("at_most", [0.0, 0.03, 0.1, 0.5])
def test_so_many_with_a_label_are_lost_to_none_and_no_more(at_most: float) -> None:
    scores, rows = scores_of(ANSWERS), rows_of(ANSWERS)
    shift = TASK.shift(scores, rows, at_most_lost(at_most))
    assert shift[0] == shift[1] == 0
    lost = sum(int((s + shift).argmax()) == 2 for s, row in zip(scores, rows, strict=True) if row.target != 2)
    assert at_most * 200 - 1 <= lost <= at_most * 200


def test_most_of_what_fits_none_is_then_told_so() -> None:
    scores, rows = scores_of(ANSWERS), rows_of(ANSWERS)
    none = [s for s, row in zip(scores, rows, strict=True) if row.target == 2]
    assert sum(int(s.argmax()) == 2 for s in none) == 0
    shift = TASK.shift(scores, rows, at_most_lost(0.03))
    assert sum(int((s + shift).argmax()) == 2 for s in none) > 30


@pytest.mark.parametrize("answers", [["ball", "car"], [None, None]])
def test_without_both_kinds_there_is_nothing_to_settle_by(answers: list[str | None]) -> None:
    task = LabelTask(("ball", "car")) if None not in answers else TASK
    rows = [Row(Example(text="t", answer=a, by="file", origin="f"), None, 0 if a else 2) for a in answers]
    assert not task.shift([np.zeros(task.head.width, dtype=np.float32)] * 2, rows, at_most_lost(0.03)).any()


def test_the_bias_of_a_delta_carries_it_and_the_temperature_is_made_after_it() -> None:
    scores, rows = scores_of(ANSWERS), rows_of(ANSWERS)
    tensors = {"head.weight": np.zeros((3, 4), dtype=np.float32), "head.bias": np.ones(3, dtype=np.float32)}
    made = settled(TASK, Trained(tensors, (EPOCH,), EPOCH), at_most_lost(0.03), scores, rows)
    shift = TASK.shift(scores, rows, at_most_lost(0.03))
    assert made.tensors["head.bias"] == pytest.approx(1 + shift)
    assert made.temperature == TASK.temperature([s + shift for s in scores], rows)


class Words:
    """Three words of one token each, as a tokenizer tells them: aa bb cc."""

    ids, word_ids, offsets = [1, 2, 3], [0, 1, 2], [(0, 2), (3, 5), (6, 8)]


def marked(start: int, end: int) -> Row:
    answer = [{"kind": "town", "start": start, "end": end}]
    return TOWNS.row(Example(text="aa bb cc", answer=answer, by="file", origin="f"), Words())


TOWNS = SpanTask(("town",))
BY_DEV = Recipe(name="r", description="", method="encoder", base="tiny", outside_by_dev=True)


def test_a_tagger_that_marks_too_little_is_shifted_until_the_development_rows_come_out_best() -> None:
    rows = [marked(3, 5), marked(6, 8)]
    # O leads by 1.1 on the word that is a town, and by 3 on the others.
    scores = [np.array([[3, 0, -9]] * 3, dtype=np.float32) for _ in rows]
    scores[0][1], scores[1][2] = [2.1, 1.0, -9], [2.1, 1.0, -9]
    assert TOWNS.quality(scores, rows) == 0
    shift = TOWNS.shift(scores, rows, BY_DEV)
    assert shift.tolist() == [-1.25, 0, 0]
    assert TOWNS.quality([s + shift for s in scores], rows) == 1
    assert not TOWNS.shift(scores, rows, at_most_lost(0.03)).any()


def test_a_tagger_that_is_right_is_left_as_it_is() -> None:
    right = [np.array([[9, 0, 0], [0, 9, 0], [9, 0, 0]], dtype=np.float32)]
    assert not TOWNS.shift(right, [marked(3, 5)], BY_DEV).any()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "head", "line_break": "|"}, "only an encoder that is trained"),
        ({"method": "head", "outside_by_dev": True}, "marks parts of a text"),
        ({"method": "encoder", "max_tokens": 513}, "at most 512 tokens"),
        ({"method": "encoder", "line_break": "<br>"}, "at most 1 character"),
    ],
)
def test_a_recipe_that_cannot_be_followed(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Recipe.model_validate({"name": "r", "description": "", "base": "tiny", **given})


def test_what_came_later_changes_no_recipe_that_does_not_use_it() -> None:
    """Shipped specialists say by which recipe they were made."""
    roots = (builtin_root(),)
    made_by = Workspace(roots).card("presidio-1").specialism
    assert made_by is not None
    recipe = read_recipe(roots, made_by.recipe)
    assert recipe.key == made_by.recipe_hash
    for later in ({"line_break": "|"}, {"outside_by_dev": True}):
        assert recipe.model_copy(update=later).key != recipe.key


def test_recipes_are_for_the_work_that_they_name() -> None:
    roots = (builtin_root(),)
    names = {
        kind: [recipe.name for recipe in all_recipes(roots, kind)] for kind in ("label", "choice", "json")
    }
    assert names["choice"] == ["encoder-pairs"]
    assert "encoder-pairs" not in names["label"]
    assert names["json"] == ["generator", "generator-calls", "generator-deep", "generator-pass"]
    with pytest.raises(UserError, match="is for choice, not for label"):
        read_recipe(roots, "encoder-pairs").insist_on("label")
