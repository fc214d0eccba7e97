"""tau2-retrieval: which of many documents a situation needs."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bench.cases import Case
from orchestrator.errors import ContentError, InvalidInput
from orchestrator.tools import load_module
from tests.agents.crew import ask, says, session
from tests.bench.families.content import Files, ask_own, judge, real_files
from tests.bench.families.helpers import ROOT, code

CASE = Case(id="x", category="test", inputs={}, gold=["a.md", "b.md"])
SCORE = load_module(ROOT / "benchmarks" / "tau2-retrieval" / "score.py")
AGENT = load_module(ROOT / "agents" / "find-documents" / "answer.py")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    documents = [
        {"id": "doc_cards_(gold)_001", "title": "Gold card", "content": "The gold card has an annual fee."},
        {"id": "doc_loans_001", "title": "Loans", "content": "A mortgage is a loan for a house."},
    ]
    tasks = [
        {
            "id": f"task_{n}",
            "user_scenario": {"instructions": f"You are playing the role of Ann.\n\n- I want loan {n}."},
            "required_documents": ["doc_cards_(gold)_001"],
        }
        for n in range(5)
    ]
    found = {"documents.json.gz": tmp_path / "documents.json.gz", "tasks.json": tmp_path / "tasks.json"}
    found["documents.json.gz"].write_bytes(gzip.compress(json.dumps(documents).encode()))
    found["tasks.json"].write_text(json.dumps(tasks), "utf-8")
    return found


def test_every_fourth_task_is_not_measured(files: Files) -> None:
    test, dev = (code("tau2-retrieval").read_cases(files, part) for part in ("test", "dev"))
    assert [case.id for case in test] == ["task_1", "task_2", "task_3"]
    assert [case.id for case in dev] == ["task_0", "task_4"]
    assert test[0].gold == ["doc_cards_gold_001.md"]
    assert test[0].inputs == {"text": "I want loan 1."}
    with pytest.raises(ContentError, match="KeyError: 'train'"):
        code("tau2-retrieval").read_cases(files, "train")


def test_a_task_without_documents_is_refused(files: Files) -> None:
    files["tasks.json"].write_text('[{}, {"id": "t", "user_scenario": {"instructions": "x"}}]', "utf-8")
    with pytest.raises(ContentError, match="KeyError: 'required_documents'"):
        code("tau2-retrieval").read_cases(files, "test")


def test_a_situation_is_what_is_wanted() -> None:
    text = "**Your character:** Ann.\n## Matter\nShe lost a card. Do NOT say so first! Her email is a@b.nl.\n"
    assert SCORE.situation(text) == "Matter She lost a card."
    assert SCORE.situation("You are playing the role of Ann.") == "You are playing the role of Ann."


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["a.md", "b.md"], 1.0),
        (["c.md", "a.md"], 0.5),
        ([*"cdefg", "a.md"], 0.0),
        ([], 0.0),
    ],
)
def test_capped_recall_by_hand(found: list[str], expected: float) -> None:
    assert judge("tau2-retrieval", CASE, {"files": found}) == expected


def test_more_documents_than_places_can_still_be_right() -> None:
    many = CASE.model_copy(update={"gold": [*"abcdefg"]})
    assert judge("tau2-retrieval", many, {"files": [*"gfedcxyz"]}) == 1.0
    assert judge("tau2-retrieval", many, None) == 0.0


def test_figures_by_hand() -> None:
    answers: list[Any] = [{"files": ["a.md", "c.md"]}, {"files": ["c.md", "b.md", "a.md"]}, None]
    assert code("tau2-retrieval").metrics([(CASE, answer) for answer in answers]) == {
        "recall_at_1": pytest.approx(0.5 / 3),
        "recall_at_5": pytest.approx(1.5 / 3),
        "hit_at_1": pytest.approx(1 / 3),
        "mrr": pytest.approx((1 + 1 / 2) / 3),
    }


async def test_documents_are_ranked_by_meaning_and_words(files: Files, tmp_path: Path) -> None:
    code("tau2-retrieval").materials(files, tmp_path)
    inputs = {"text": "A loan for my house. It is small.", "folder": str(tmp_path / "documents"), "many": 1}
    asked = await ask("find-documents", inputs, session())
    assert asked.output["files"] == ["doc_loans_001.md"]
    assert asked.output["starts"] == ["Loans A mortgage is a loan for a house."]
    assert not asked.refused
    floor = await ask_own("tau2-retrieval", "documents-by-words", inputs)
    assert floor.output == {"files": ["doc_loans_001.md"]}


async def test_a_changed_document_is_read_again_and_an_empty_folder_refused(tmp_path: Path) -> None:
    inputs = {"text": "loan", "folder": str(tmp_path)}
    with pytest.raises(InvalidInput, match="no Markdown"):
        await ask("find-documents", inputs, session())
    (tmp_path / "a.md").write_text("# Fees\n", "utf-8")
    assert (await ask("find-documents", inputs, session())).output["starts"] == ["Fees"]
    (tmp_path / "b.md").write_text("# Loans\n", "utf-8")
    assert (await ask("find-documents", inputs, session())).output["files"][0] == "b.md"


def test_a_long_request_is_cut_between_sentences() -> None:
    assert AGENT.parts_of("One two. Three four! Five.", 20) == ["One two. Three four!", "Five."]
    assert AGENT.parts_of("", 20) == [""]


async def test_a_generator_ranks_by_number() -> None:
    model = says({"best": [3, 1, 3]})
    inputs: dict[str, Any] = {"text": "w" * 3000, "files": [*"abc"], "starts": ["A", "B", "C"]}
    answer = await ask_own("tau2-retrieval", "rank-titles", inputs, model)
    assert answer.output == {"files": ["c", "a", "b"]}
    request = model.requests[0]
    assert request.json_schema
    assert request.json_schema["properties"]["best"]["items"]["enum"] == [1, 2, 3]
    prompt = request.messages[-1].content
    assert "1. A\n2. B\n3. C" in prompt
    assert prompt.count("w") == 1000


def test_the_real_files(tmp_path: Path) -> None:
    files = real_files("tau2-retrieval")
    if files is None:
        pytest.skip("the wheel's files are not in the cache")
    test, dev = (code("tau2-retrieval").read_cases(files, part) for part in ("test", "dev"))
    assert (len(test), len(dev)) == (72, 25)
    assert not {case.id for case in test} & {case.id for case in dev}
    code("tau2-retrieval").materials(files, tmp_path)
    written = {file.name for file in (tmp_path / "documents").iterdir()}
    assert len(written) == 698
    assert {name for case in (*test, *dev) for name in case.gold} <= written
    assert all(len(case.inputs["text"]) > 100 for case in test)
