"""Promotion and going back: one file, in one step, and never without evidence."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ContentError, UnknownName, UserError
from orchestrator.learning import shelf
from orchestrator.learning.examples import IDENTITY, Example, written_ids
from orchestrator.learning.shown import specialism_of
from orchestrator.promoted import FILE, read_promoted
from orchestrator.types import ModelCard
from orchestrator.workspace import Workspace

LINEAGE = {"identity": IDENTITY, "texts": {"train": ["0123abcd"]}}


def specialist(root: Path, line: str = "tickets", *, passed: bool | None = True) -> str:
    """Put one on the shelf; `passed` None: it has not been through its gate."""
    name = shelf.next_name((root,), line)
    card: dict[str, Any] = {
        "name": name,
        "description": "For tests.",
        "licence": "none",
        "origin": "tests",
        "runtime": "scripted",
        "capabilities": ["classify"],
        "role": "candidate",
        "specialism": {
            "agent": "label", "base": "tiny", "recipe": "head", "recipe_hash": "1", "data_hash": "2",
            "fixed": {"labels": "3"}, "trained_at": "2026-11-23T08:00:00.000+00:00",
        },
    }  # fmt: skip
    stage = root / "stage"
    stage.mkdir(parents=True)
    (stage / "delta.safetensors").write_bytes(b"learnt")
    place = shelf.put(root, stage, ModelCard.model_validate(card), [], LINEAGE)
    if passed is not None:
        found = {"passed": passed, "reasons": [] if passed else ["not as good"]}
        (place / shelf.EVIDENCE).write_text(json.dumps(found), "utf-8")
    return name


def answering(root: Path) -> set[str]:
    cards = Workspace((root,)).cards
    return {name for name, card in cards.items() if card.role == "crew"}


def test_names_count_up_within_a_line(tmp_path: Path) -> None:
    assert [specialist(tmp_path), specialist(tmp_path), specialist(tmp_path, "mail")] == [
        "tickets-1",
        "tickets-2",
        "mail-1",
    ]


def test_nothing_answers_before_it_is_promoted(tmp_path: Path) -> None:
    name = specialist(tmp_path)
    workspace = Workspace((tmp_path,))
    assert workspace.cards[name].role == "candidate"
    assert workspace.cards[f"{name}-f32"].role == "twin"
    assert workspace.cards[f"{name}-f32"].precision == "float32"


def test_promotion_and_going_back(tmp_path: Path) -> None:
    first, second, third = (specialist(tmp_path) for _ in range(3))
    for name in (first, second, third):
        shelf.promote((tmp_path,), name, "passed")
        assert answering(tmp_path) == {name}
    assert shelf.roll_back((tmp_path,), "tickets").specialist == second
    assert answering(tmp_path) == {second}
    assert shelf.roll_back((tmp_path,), "tickets").specialist == first
    assert shelf.roll_back((tmp_path,), "tickets").specialist is None
    assert answering(tmp_path) == set()
    with pytest.raises(UserError, match="nothing to roll back"):
        shelf.roll_back((tmp_path,), "tickets")
    assert len(read_promoted(tmp_path).lines["tickets"]) == 6, "the history is kept"


def test_lines_do_not_touch_each_other(tmp_path: Path) -> None:
    tickets, mail = specialist(tmp_path), specialist(tmp_path, "mail")
    shelf.promote((tmp_path,), tickets, "passed")
    shelf.promote((tmp_path,), mail, "passed")
    shelf.roll_back((tmp_path,), "mail")
    assert answering(tmp_path) == {tickets}


def test_another_line_may_take_the_work_over_and_give_it_back(tmp_path: Path) -> None:
    tickets, mail, later = specialist(tmp_path), specialist(tmp_path, "mail"), specialist(tmp_path, "mail")
    shelf.promote((tmp_path,), tickets, "passed")
    shelf.promote((tmp_path,), mail, "passed", {tickets}.__contains__)
    assert answering(tmp_path) == {mail}
    with pytest.raises(UserError, match="nothing to roll back"):
        shelf.roll_back((tmp_path,), "tickets")
    shelf.promote((tmp_path,), later, "passed", {mail}.__contains__)
    assert shelf.roll_back((tmp_path,), "mail").specialist == mail, "its own line comes first"
    assert shelf.roll_back((tmp_path,), "mail").specialist == tickets
    assert answering(tmp_path) == {tickets}


def test_a_promoted_one_that_is_gone_is_told_with_what_to_type(tmp_path: Path) -> None:
    name = specialist(tmp_path)
    shelf.promote((tmp_path,), name, "passed")
    shutil.rmtree(tmp_path / shelf.FOLDER / name)
    (problem,) = Workspace((tmp_path,)).problems
    assert "tickets-1 was promoted, and its folder is not there" in str(problem)
    assert problem.hint == "Type: lilliput learn rollback tickets"
    shelf.roll_back((tmp_path,), "tickets")
    assert not Workspace((tmp_path,)).problems


def test_a_line_is_no_specialist(tmp_path: Path) -> None:
    for _ in range(11):
        specialist(tmp_path)
    with pytest.raises(UserError, match="tickets is a line of specialists") as said:
        specialism_of(Workspace((tmp_path,)), "tickets")
    assert said.value.hint == "Name one of it, such as tickets-11."
    assert specialism_of(Workspace((tmp_path,)), "tickets-2").agent


def test_a_shipped_one_is_promoted_in_the_workspace_that_wants_it(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    name = specialist(shipped)
    shelf.promote((shipped, own), name, "passed")
    assert Workspace((shipped, own)).cards[name].role == "crew"
    assert Workspace((shipped,)).cards[name].role == "candidate"
    assert shelf.roll_back((shipped, own), "tickets").specialist is None
    assert Workspace((shipped, own)).cards[name].role == "candidate"


def test_evidence_of_the_own_workspace_counts_for_a_shipped_one(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    name = specialist(shipped, passed=None)
    evidence = own / shelf.FOLDER / name / shelf.EVIDENCE
    evidence.parent.mkdir(parents=True)
    evidence.write_text('{"passed": true, "reasons": []}', "utf-8")
    assert shelf.promote((shipped, own), name, "passed").specialist == name


def test_an_own_one_has_nothing_of_a_shipped_one_of_the_same_name(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    assert specialist(shipped) == specialist(own, passed=None)
    with pytest.raises(UserError, match="not been through its gate"):
        shelf.promote((shipped, own), "tickets-1", "passed")
    assert shelf.next_name((shipped, own), "tickets") == "tickets-2"


def test_the_number_of_one_that_was_promoted_is_not_given_again(tmp_path: Path) -> None:
    shelf.promote((tmp_path,), specialist(tmp_path), "passed")
    shutil.rmtree(tmp_path / shelf.FOLDER / "tickets-1")
    assert shelf.next_name((tmp_path,), "tickets") == "tickets-2"


def test_rolling_back_passes_over_what_is_gone(tmp_path: Path) -> None:
    first, second, third = (specialist(tmp_path) for _ in range(3))
    for name in (first, second, third):
        shelf.promote((tmp_path,), name, "passed")
    shutil.rmtree(tmp_path / shelf.FOLDER / second)
    assert shelf.roll_back((tmp_path,), "tickets").specialist == first
    assert shelf.roll_back((tmp_path,), "tickets").specialist is None


def test_what_answered_just_before_answers_again(tmp_path: Path) -> None:
    first, second, mail = specialist(tmp_path), specialist(tmp_path), specialist(tmp_path, "mail")
    for name in (first, second, first):
        shelf.promote((tmp_path,), name, "passed")
    assert shelf.roll_back((tmp_path,), "tickets").specialist == second
    assert shelf.roll_back((tmp_path,), "tickets").specialist == first
    shelf.promote((tmp_path,), mail, "passed", {first}.__contains__)
    shelf.promote((tmp_path,), second, "passed", {mail}.__contains__)
    assert shelf.roll_back((tmp_path,), "tickets").specialist == mail
    assert answering(tmp_path) == {mail}
    assert shelf.roll_back((tmp_path,), "mail").specialist == first
    assert answering(tmp_path) == {first}


def test_two_that_are_promoted_at_once_do_not_both_answer(tmp_path: Path) -> None:
    names = {specialist(tmp_path, line) for line in ("a", "b", "c", "d")}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: shelf.promote((tmp_path,), name, "passed", names.__contains__), names))
    assert len(answering(tmp_path)) == 1


@pytest.mark.parametrize("held", [b"", b"{}", b"lines: []", b"lines: {tickets: [{specia", b"\xff", b"[1]"])
def test_a_damaged_list_of_who_answers_is_told_and_not_taken_for_empty(tmp_path: Path, held: bytes) -> None:
    name = specialist(tmp_path)
    (tmp_path / FILE).write_bytes(held)
    for use in (
        lambda: Workspace((tmp_path,)),
        lambda: shelf.promote((tmp_path,), name, "passed"),
        lambda: shelf.roll_back((tmp_path,), "tickets"),
        lambda: shelf.next_name((tmp_path,), "tickets"),
    ):
        with pytest.raises(ContentError, match=r"promoted.yaml(:1)?: damaged: .* Or delete it"):
            use()
    assert (tmp_path / FILE).read_bytes() == held


@pytest.mark.parametrize("found", ["{", "{}", "[]", '{"passed": "no", "reasons": []}'])
def test_damaged_evidence_promotes_nothing(tmp_path: Path, found: str) -> None:
    name = specialist(tmp_path)
    (tmp_path / shelf.FOLDER / name / shelf.EVIDENCE).write_text(found, "utf-8")
    with pytest.raises(UserError):
        shelf.promote((tmp_path,), name, "passed")


@pytest.mark.parametrize("lineage", ["{", "{}", "[]", '{"texts": 1}', '{"texts": {}, "identity": "x"}'])
def test_damaged_lineage_is_told(tmp_path: Path, lineage: str) -> None:
    name = specialist(tmp_path)
    (tmp_path / shelf.FOLDER / name / "lineage.json").write_text(lineage, "utf-8")
    with pytest.raises(UserError, match="is damaged"):
        shelf.texts_of((tmp_path,), name)


@pytest.mark.parametrize(("identity", "leaked"), [(1, ["C", "C#", "C++"]), (IDENTITY, ["C++"])])
def test_what_an_older_specialist_has_learnt_from_is_known_by_its_words(
    tmp_path: Path, identity: int, leaked: list[str]
) -> None:
    """It may have been any of them; the others would be taken for it for ever."""
    examples = {name: Example(text=name, answer="a", by="file", origin="f") for name in ("C", "C#", "C++")}
    learnt = examples["C" if identity == 1 else "C++"].id  # what identity 1 made of each of them
    name = specialist(tmp_path)
    lineage = {"identity": identity, "texts": {"train": [learnt]}}
    (tmp_path / shelf.FOLDER / name / "lineage.json").write_text(json.dumps(lineage), "utf-8")
    known = shelf.texts_of((tmp_path,), name)
    assert [text for text, example in examples.items() if example.is_among(known)] == leaked


def test_what_an_older_specialist_has_learnt_from_is_known_as_it_was_written_too(tmp_path: Path) -> None:
    key = b"1" * 32
    made = {"answer": "a", "by": "file", "origin": "f"}
    old = written_ids("[NAME_1] writes C", key)[0]  # what identity 1 made of "… C++" as well
    now = Example(text="[NAME_2] writes C++", written=written_ids("[NAME_1] writes C++", key), **made)
    name = specialist(tmp_path)
    for identity, leaked in ((1, True), (IDENTITY, False)):
        lineage = {"identity": identity, "texts": {"train": []}, "written": [old]}
        (tmp_path / shelf.FOLDER / name / "lineage.json").write_text(json.dumps(lineage), "utf-8")
        assert now.is_among(shelf.texts_of((tmp_path,), name)) is leaked


def test_a_twin_of_an_encoder_needs_memory_for_its_floats() -> None:
    card = ModelCard.model_validate(
        {
            **{"name": "x", "description": "x", "licence": "x", "origin": "x", "capabilities": ["embed"]},
            **{"runtime": "scripted", "memory_bytes": 75, "parameters": 23},
        }
    )
    assert shelf._in_float32(card) == 75
    assert shelf._in_float32(card.model_copy(update={"runtime": "encoder"})) == 92
    assert shelf._in_float32(card.model_copy(update={"runtime": "encoder", "memory_bytes": None})) is None


def test_a_twin_has_learnt_from_the_same(tmp_path: Path) -> None:
    name = specialist(tmp_path)
    assert shelf.texts_of((tmp_path,), f"{name}-f32") == {"0123abcd"}


def test_what_a_shipped_one_has_learnt_from_is_known(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    name = specialist(shipped)
    assert shelf.texts_of((shipped, own), name) == {"0123abcd"}
    assert not shelf.texts_of((own,), name)


def test_who_names_a_specialist_to_roll_back_is_told_its_line(tmp_path: Path) -> None:
    shelf.promote((tmp_path,), specialist(tmp_path), "passed")
    with pytest.raises(UserError, match="Name its line: lilliput learn rollback tickets"):
        shelf.roll_back((tmp_path,), "tickets-1")


@pytest.mark.parametrize(("passed", "said"), [(None, "not been through its gate"), (False, "not as good")])
def test_no_evidence_no_promotion(tmp_path: Path, passed: bool | None, said: str) -> None:
    name = specialist(tmp_path, passed=passed)
    with pytest.raises(UserError, match=said):
        shelf.promote((tmp_path,), name, "because I want to")
    assert answering(tmp_path) == set()
    assert not (tmp_path / FILE).exists()


def test_a_name_that_is_not_there_is_said(tmp_path: Path) -> None:
    specialist(tmp_path)
    with pytest.raises(UnknownName, match="tickets-1"):
        shelf.promote((tmp_path,), "ticket-1", "passed")


def test_a_running_workspace_follows(tmp_path: Path) -> None:
    """Whoever holds the views of an opened workspace sees the change at its next refresh, within a moment."""
    name = specialist(tmp_path)
    workspace = Workspace((tmp_path,))
    cards, folders = workspace.cards, workspace.card_folders
    shelf.promote((tmp_path,), name, "passed")
    workspace.refresh()
    assert cards[name].role == "crew"
    newer = specialist(tmp_path)
    shelf.promote((tmp_path,), newer, "passed")
    started = time.perf_counter()
    workspace.refresh()
    assert time.perf_counter() - started < 1.0
    assert (cards[name].role, cards[newer].role) == ("candidate", "crew")
    assert folders[newer] == tmp_path / shelf.FOLDER / newer
    shelf.roll_back((tmp_path,), "tickets")
    workspace.refresh()
    assert (cards[name].role, cards[newer].role) == ("crew", "candidate")


def test_a_limited_workspace_stays_as_it_is(tmp_path: Path) -> None:
    first = specialist(tmp_path)
    limited = Workspace((tmp_path,)).limited_to([first])
    shelf.promote((tmp_path,), specialist(tmp_path), "passed")
    limited.refresh()
    assert set(limited.cards) == {first}
