"""A specialist answers where its evidence is about what it takes the place of, and not for any pass."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import UserError
from orchestrator.learning import shelf
from orchestrator.learning.promotion import insist_on_place
from orchestrator.workspace import Workspace, builtin_root
from tests.cli.conftest import Lilliput, lilliput
from tests.learning.test_shelf import specialist

__all__ = ["lilliput"]


def passed(root: Path, against: str, line: str = "tickets", **fields: Any) -> str:
    """One on the shelf that passed its gate against that model."""
    name = specialist(root, line)
    found = {
        "specialist": name, "passed": True, "reasons": [], "judged_by": "file", "incumbent": against,
        "n": 100, "leaked": 0, "margin": 0.05, "difference": None, "arms": [], "data_hash": "1",
        "machine": "here", "made_at": "2026-12-01", **fields,
    }  # fmt: skip
    (root / shelf.FOLDER / name / shelf.EVIDENCE).write_text(json.dumps(found), "utf-8")
    return name


def insist(roots: Sequence[Path], name: str, *, accept_margin: bool = False) -> None:
    insist_on_place(Workspace((builtin_root(), *roots)), "large", name, accept_margin=accept_margin)


def test_a_pass_against_the_reference_is_enough_where_nothing_of_ours_answers(tmp_path: Path) -> None:
    insist((tmp_path,), passed(tmp_path, "large"))


@pytest.mark.parametrize("against", ["weak-1", ""])
def test_a_pass_against_any_other_model_is_not(tmp_path: Path, against: str) -> None:
    name = passed(tmp_path, against)
    with pytest.raises(UserError, match="and large is what answers now") as refused:
        insist((tmp_path,), name)
    assert refused.value.hint == "Hold it against that: lilliput learn gate tickets-1"


def test_whose_place_is_taken_must_have_been_held_against(tmp_path: Path) -> None:
    old = passed(tmp_path, "large")
    shelf.promote((tmp_path,), old, "passed")
    for against in ("large", "weak-1"):
        name = passed(tmp_path, against, "mail")
        with pytest.raises(UserError, match="tickets-1 is what answers now"):
            insist((tmp_path,), name)
    insist((tmp_path,), passed(tmp_path, "tickets-1", "mail"))
    insist((tmp_path,), old)  # it answers already


def test_what_came_with_a_shipped_one_counts_until_another_answers(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    name = passed(shipped, "weak-1")
    insist((shipped, own), name)
    shelf.promote((shipped, own), passed(own, "large", "mail"), "passed")
    with pytest.raises(UserError, match="mail-1 is what answers now"):
        insist((shipped, own), name)


def test_evidence_of_ones_own_about_a_shipped_one_is_as_any(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    name = passed(shipped, "large")
    theirs = shipped / shelf.FOLDER / name / shelf.EVIDENCE
    ours = own / shelf.FOLDER / name / shelf.EVIDENCE
    ours.parent.mkdir(parents=True)
    ours.write_text(theirs.read_text("utf-8").replace('"large"', '"weak-1"'), "utf-8")
    with pytest.raises(UserError, match="passed its gate against weak-1, and large"):
        insist((shipped, own), name)


def test_a_wide_margin_is_accepted_by_name_only(tmp_path: Path) -> None:
    name = passed(tmp_path, "large", margin=0.2)
    with pytest.raises(UserError, match="20 points worse than large, and 5 are usual") as refused:
        insist((tmp_path,), name)
    assert "lilliput learn promote tickets-1 --accept-margin" in str(refused.value.hint)
    insist((tmp_path,), name, accept_margin=True)


def test_nobody_is_promoted_between_the_look_and_the_promotion(tmp_path: Path) -> None:
    name = passed(tmp_path, "large")

    def refuse() -> None:
        raise UserError("somebody else answers by now")

    with pytest.raises(UserError, match="by now"):
        shelf.promote((tmp_path,), name, "passed", insist=refuse)
    assert Workspace((tmp_path,)).cards[name].role == "candidate"


def test_damaged_evidence_is_told(tmp_path: Path) -> None:
    name = passed(tmp_path, "large", n="many")
    with pytest.raises(UserError, match=r"evidence of tickets-1 is damaged.*learn gate tickets-1"):
        insist((tmp_path,), name)


def test_a_wide_margin_is_told_before_anything_is_done(lilliput: Lilliput) -> None:
    said = lilliput("learn", "run", "tickets", "--margin", "0.2")
    assert (said.code, "accept that: --accept-margin" in said.err) == (2, True)
