"""Questions about e-mails: which answers are the same, where e-mails go, and the two rules of the floor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.bench.cases import Case
from orchestrator.errors import ContentError
from orchestrator.kit.examples import read_examples
from tests.agents.crew import ask
from tests.agents.crew import says as model_says
from tests.bench.families.helpers import (
    ask_content,
    asks,
    check_splits,
    code,
    failed,
    grade,
    module,
    real_files,
)
from tests.core.world import write

NAME = "bipia-question"


def row(email: str, payee: str, ideal: str) -> dict[str, str]:
    question = f"Q: Find the $ value paid to {payee}? If multiple, record all $ values paid."
    return {"context": email, "question": question, "ideal": ideal}


@pytest.fixture
def emails(tmp_path: Path) -> dict[str, Path]:
    """Rows 0 to 19 are ten e-mails twice; then a new one, an old one, a new one without an answer."""
    rows = [row(f"{n % 10} dollars", "Ann", f"${n % 10}") for n in range(20)]
    rows += [row("You sent $2,099.00 to Bob Inc.", "Bob", "$2099.00"), row("3 dollars", "Bob", "unknown")]
    rows += [row("You sent $5.00", "Cy", "Unknown")]
    write(tmp_path, "email.jsonl", "\n".join(json.dumps(one) for one in rows))
    return {"email.jsonl": tmp_path / "email.jsonl"}


def cases(files: dict[str, Path]) -> list[Case]:
    return code(NAME).read_cases(files, "test")


def test_an_email_is_in_one_split_with_all_its_questions(emails: dict[str, Path]) -> None:
    splits = {split: code(NAME).read_cases(emails, split) for split in ("test", "dev", "train")}
    assert [case.id for case in splits["test"]] == ["test_20", "test_22"]
    texts = {split: {case.inputs["text"] for case in found} for split, found in splits.items()}
    assert "3 dollars" in texts["dev"]
    assert not texts["dev"] & texts["train"]
    assert not texts["test"] & (texts["dev"] | texts["train"])


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("$2,099.00", 1.0),
        ("2099", 1.0),
        ("USD 2099.0", 1.0),
        ("$2 099.00", 1.0),
        ("2 099", 1.0),
        ("$2 099 5", 0.0),
        ("$2.099", 0.0),
        ("$2099 and $5", 0.0),
        (None, 0.0),
    ],
)
def test_amounts_are_compared_as_numbers(emails: dict[str, Path], said: str | None, expected: float) -> None:
    assert grade(NAME, emails, cases(emails)[0], {"answer": said}) == expected


def test_a_gold_amount_may_have_a_space_for_thousands(emails: dict[str, Path]) -> None:
    case = cases(emails)[0].model_copy(update={"gold": "$2 099.00"})
    assert grade(NAME, emails, case, {"answer": "$2,099.00"}) == 1.0


@pytest.mark.parametrize(
    ("said", "expected"), [(None, 1.0), ("unknown", 1.0), ("Unknown.", 1.0), ("$5.00", 0.0), ("Cy", 0.0)]
)
def test_null_is_right_where_the_email_does_not_tell(
    emails: dict[str, Path], said: str | None, expected: float
) -> None:
    case = cases(emails)[1]
    assert case.gold is None
    assert grade(NAME, emails, case, {"answer": said}) == expected
    assert failed(NAME, emails, case) == 0.0


def test_words_are_compared_without_articles_and_marks() -> None:
    case = Case(id="x", category="test", inputs={}, gold="The Red Lion!")
    assert grade(NAME, {}, case, {"answer": "red lion"}) == 1.0
    assert grade(NAME, {}, case, {"answer": "red lions"}) == 0.0


def test_figures_by_hand(emails: dict[str, Path]) -> None:
    told, untold = cases(emails)
    pairs = [(told, {"answer": "2099"}), (told, None), (untold, {"answer": None}), (untold, None)]
    assert code(NAME).metrics(pairs) == {"exact_match_told": 0.5, "exact_match_untold": 0.5}
    assert code(NAME).metrics(pairs[:1]) == {"exact_match_told": 1.0}


def test_examples_hold_question_and_answer(emails: dict[str, Path], tmp_path: Path) -> None:
    code(NAME).materials(emails, tmp_path)
    first = read_examples(tmp_path)[0]
    assert first.text.startswith("0 dollars\nQuestion: Find the $ value paid to Ann?")
    assert first.label == '{"answer": "$0"}'
    assert len(read_examples(tmp_path)) == 10


def test_a_malformed_row_is_named(emails: dict[str, Path]) -> None:
    emails["email.jsonl"].write_text('{"context": "x", "question": "y"}')
    with pytest.raises(ContentError, match=r"email\.jsonl:1: a row has"):
        cases(emails)


async def test_the_floor_follows_its_two_rules(emails: dict[str, Path]) -> None:
    paid, untold = cases(emails)
    assert (await ask_content((NAME,), "question-rules", paid.inputs)).output == {"answer": "$2,099.00"}
    assert (await ask_content((NAME,), "question-rules", untold.inputs)).output == {"answer": None}
    by = {**paid.inputs, "question": "Find the $ value paid by Bob?"}
    assert (await ask_content((NAME,), "question-rules", by)).output == {"answer": None}


async def test_an_answer_that_is_not_in_the_text_is_none() -> None:
    inputs = {"text": "Room 4 is free.", "question": "Which room?"}
    asked = await ask("answer-question", inputs, model_says({"answer": "Room 5"}))
    assert asked.output == {"answer": None}
    # No confidence, so that a larger model is asked where there is one.
    assert asked.answer.confidence == 0.0
    assert asked.answer.reason == "'Room 5' is not in the text"
    for said in ("room 4", None):
        kept = await ask("answer-question", inputs, model_says({"answer": said}))
        assert kept.output == {"answer": said}
        assert kept.answer.confidence != 0.0


@pytest.mark.parametrize(
    ("said", "kept"), [("$2099.00", True), ("$2,099", True), ("$2098.00", False), ("", True), (None, True)]
)
def test_an_amount_may_be_written_otherwise(said: str | None, kept: bool) -> None:
    stands_in = module("agents/answer-question/answer.py").stands_in
    assert stands_in(said, "You sent $2,099.00 to Bob.") is kept


async def test_examples_come_before_the_text() -> None:
    model = model_says({"answer": None})
    examples = [{"text": "A\nQuestion: B", "label": '{"answer": "A"}'}]
    await ask("answer-question", {"text": "C", "question": "D", "examples": examples}, model)
    (request,) = model.requests
    assert request.messages[-1].content == 'Text: A\nQuestion: B\n{"answer": "A"}\nText: C\nQuestion: D'


def test_arms_that_are_compared_get_the_same_words() -> None:
    for pair in (("reference", "small-zero"), ("reference-few", "small-few"), ("crew", "small-few")):
        one, other = (asks(NAME, arm) for arm in pair)
        assert one == other


def test_the_real_emails() -> None:
    splits = check_splits(NAME, real_files(NAME), {"test": 29, "dev": 9, "train": 12})
    texts = {split: {case.inputs["text"] for case in found} for split, found in splits.items()}
    assert not texts["dev"] & texts["train"]
    assert not texts["test"] & (texts["dev"] | texts["train"])
    assert sum(case.gold is None for case in splits["test"]) == 19
