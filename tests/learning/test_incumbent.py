"""Who is held against, and whose place is taken: by the work, whatever a specialist is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from orchestrator.errors import UserError
from orchestrator.learning.examples import Example
from orchestrator.learning.gate import FAILED, Answered, insist_on_answers, insist_on_enough
from orchestrator.learning.incumbent import Work, answering, incumbent_of, twins_of
from orchestrator.types import Capability, ModelCard, RunResult

LABEL = {"labels": "1"}
GENERATE: frozenset[Capability] = frozenset({"generate"})


def card(name: str, role: str = "crew", kinds: Sequence[str] = (), **fixed: str) -> ModelCard:
    values: dict[str, Any] = {
        "name": name, "description": "", "licence": "none", "origin": "here", "runtime": "scripted",
        "role": role, "capabilities": ["classify"],
    }  # fmt: skip
    if fixed:
        values["specialism"] = {
            "agent": "label", "base": "small", "recipe": "head", "recipe_hash": "1", "data_hash": "2",
            "fixed": fixed, "kinds": list(kinds), "trained_at": "2026-11-23",
        }  # fmt: skip
    return ModelCard.model_validate(values)


def shelf(*cards: ModelCard) -> dict[str, ModelCard]:
    large = card("large", "reference").model_copy(update={"capabilities": GENERATE})
    return {each.name: each for each in (large, *cards)}


def test_another_name_for_the_same_work_is_the_incumbent() -> None:
    cards = shelf(
        card("desk-2", labels="1"), card("mail-1", labels="9"), card("new-1", "candidate", labels="1")
    )
    work = Work("label", LABEL, frozenset())
    assert incumbent_of(cards, work, GENERATE, "large", but="new-1") == "desk-2"
    assert incumbent_of(cards, work, GENERATE, "large", but="desk-2") == "large", "a candidate answers nobody"
    assert incumbent_of(cards, work._replace(agent="other"), GENERATE, "large") == "large"


def test_one_that_marks_more_answers_too_but_is_not_replaced() -> None:
    both = card("both-1", kinds=("city", "date"), text="1")
    cards = shelf(both, card("city-1", kinds=("city",), text="1"))
    city = Work("label", {"text": "1"}, frozenset({"city"}))
    assert answering(cards, city) == ["both-1", "city-1"]
    assert answering(cards, city._replace(kinds=frozenset({"city", "price"}))) == []
    assert list(filter(twins_of(cards, city), (*cards, "gone-1"))) == ["city-1"]


def test_whose_place_is_taken_is_held_against_first() -> None:
    both, city = card("both-1", kinds=("city", "date"), text="1"), card("city-1", kinds=("city",), text="1")
    work = Work("label", {"text": "1"}, frozenset({"city"}))
    assert incumbent_of(shelf(both, city), work, GENERATE, "large") == "city-1"
    assert incumbent_of(shelf(both), work, GENERATE, "large") == "both-1"


def test_an_incumbent_that_answered_nothing_is_no_evidence() -> None:
    failed = RunResult(run_id="r", status="failed", error="not installed")
    done = RunResult(run_id="r", status="completed", answer={"label": "a"})
    with pytest.raises(UserError, match="large answered none of the 2 rows: not installed"):
        insist_on_answers("large", Answered([FAILED, FAILED], [failed, failed]))
    insist_on_answers("large", Answered([FAILED, "a"], [failed, done]))
    insist_on_answers("large", Answered(["a"], None))


def test_too_few_rows_are_told_before_anything_is_trained() -> None:
    tested = [Example(text=f"text {n}", answer="a", by="file", origin="f") for n in range(60)]
    insist_on_enough(tested, 0.05)
    with pytest.raises(UserError, match=r"46 test rows, and 52 are the fewest.*collect 260"):
        insist_on_enough(tested[:46], 0.05)
