"""seal-tools: one tool out of thousands, by rank."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bench.cases import Case
from orchestrator.errors import ContentError, InvalidInput
from orchestrator.kit.shots import read_shots
from tests.agents.crew import ask, session
from tests.bench.families.content import Files, ask_own, judge, lines, real_files, write_files
from tests.bench.families.helpers import code


def request(name: str, query: str, *tools: str) -> dict[str, Any]:
    return {"id": name, "query": query, "calling": [{"api": tool, "parameters": {}} for tool in tools]}


def tool(name: str, description: str, **parameters: Any) -> dict[str, Any]:
    return {
        "api_name": name,
        "api_description": description,
        "parameters": parameters,
        "required": None,
        "responses": {},
    }


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return write_files(
        tmp_path,
        {
            "dev.jsonl": lines(
                [
                    request("dev-0", "nurses in Ghent", "getNurses"),
                    request("dev-1", "how deep is the lake", "getDepth"),
                    request("dev-2", "both", "getDepth", "getNurses"),
                ]
            ),
            "test_in_domain.jsonl": lines(
                [request("test-0", "lake depth", "getDepth"), request("test-1", "x", "a", "b")]
            ),
            "tool.jsonl": lines(
                [
                    tool("getDepth", "How deep a lake is.", lakeName={"type": "str"}),
                    tool("getNurses", "Nurses of a town."),
                    tool("bakeBread", "Bake."),
                ]
            ),
        },
    )


def test_cases_are_requests_of_one_call(files: Files) -> None:
    assert [case.id for case in code("seal-tools").read_cases(files, "test")] == ["test-0"]
    assert [case.id for case in code("seal-tools").read_cases(files, "dev")] == ["dev-1"]
    with pytest.raises(ContentError, match="KeyError: 'train'"):
        code("seal-tools").read_cases(files, "train")


def test_a_malformed_row_is_refused(files: Files) -> None:
    files["test_in_domain.jsonl"].write_text('{"id": "test-0"}\n', "utf-8")
    with pytest.raises(ContentError, match="KeyError: 'calling'"):
        code("seal-tools").read_cases(files, "test")


def test_the_first_name_counts(files: Files) -> None:
    (case,) = code("seal-tools").read_cases(files, "test")
    assert judge("seal-tools", case, {"names": ["getDepth", "getNurses"]}) == 1.0
    assert judge("seal-tools", case, {"names": ["getNurses", "getDepth"]}) == 0.0
    assert judge("seal-tools", case, {"names": []}) == 0.0
    assert judge("seal-tools", case, None) == 0.0


def test_figures_by_hand() -> None:
    case = Case(id="x", category="test", inputs={}, gold="a")
    answers: list[Any] = [{"names": ["a"]}, {"names": ["b", "a"]}, {"names": [*"bcdefa"]}, None]
    found = code("seal-tools").metrics([(case, answer) for answer in answers])
    assert found == {
        "recall_at_1": 0.25,
        "recall_at_5": 0.5,
        "mrr": pytest.approx((1 + 1 / 2 + 1 / 6) / 4),
    }


def test_materials_hold_all_tools_and_no_request_that_is_measured(files: Files, tmp_path: Path) -> None:
    code("seal-tools").materials(files, tmp_path)
    assert [shot.text for shot in read_shots(tmp_path)] == ["nurses in Ghent"]
    first = json.loads((tmp_path / "tools.jsonl").read_text("utf-8").splitlines()[0])
    assert first["parameters"] == {
        "type": "object",
        "properties": {"lakeName": {"type": "str"}},
        "required": [],
    }


async def test_tools_are_ranked_by_meaning_and_by_words(files: Files, tmp_path: Path) -> None:
    code("seal-tools").materials(files, tmp_path)
    inputs = {"text": "depth of a lake", "folder": str(tmp_path), "many": 2}
    asked = await ask("find-tools", inputs, session())
    assert asked.output["names"][0] == asked.output["tools"][0]["name"] == "getDepth"
    assert len(asked.output["names"]) == 2
    assert asked.output["scores"][0] > asked.output["scores"][1]
    assert not asked.refused
    floor = await ask_own("tool-choice", "tools-by-words", {**inputs, "folder": "."}, None, tmp_path)
    assert floor.output["names"][0] == "getDepth"


async def test_a_pick_goes_before_the_others() -> None:
    answer = await ask_own("tool-choice", "put-first", {"name": "b", "names": ["a", "b", "c"]})
    assert answer.output == {"names": ["b", "a", "c"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "There is no tools"),
        ("", "holds no tool"),
        ("[]", ":1: "),
        ('{"name": "a"}\n{', ":2: not JSON"),
    ],
)
async def test_a_file_of_tools_that_cannot_be_read(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "tools.jsonl").write_text(text, "utf-8")
    with pytest.raises(InvalidInput, match=said):
        await ask("find-tools", {"text": "x", "folder": str(tmp_path)}, session())


def test_the_real_files(tmp_path: Path) -> None:
    files = real_files("seal-tools")
    if files is None:
        pytest.skip("LILLIPUT_DATA_DIR does not hold seal-tools")
    test, dev = (code("seal-tools").read_cases(files, part) for part in ("test", "dev"))
    assert (len(test), len(dev)) == (200, 100)
    code("seal-tools").materials(files, tmp_path)
    names = [json.loads(line)["name"] for line in (tmp_path / "tools.jsonl").read_text("utf-8").splitlines()]
    assert len(names) == len(set(names)) == 4_076
    assert {case.gold for case in (*test, *dev)} <= set(names)
    learned = {shot.text for shot in read_shots(tmp_path)}
    assert len(learned) == 100
    assert not learned & {case.inputs["text"] for case in (*test, *dev)}
