"""bfcl-calls: calls by the leaderboard's checker, and worked examples from what is not measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bench.bfcl import BfclCase, read_cases
from orchestrator.bench.cases import Case
from orchestrator.errors import UnknownName
from orchestrator.kit.shots import read_shots
from tests.agents.crew import ask, says
from tests.bench.families.content import Files, judge, lines, real_files, write_files
from tests.bench.families.helpers import code
from tests.bench.small_bfcl import CHECKER, ENUMS

WEATHER: dict[str, Any] = {
    "name": "weather.at",
    "description": "Weather at a place.",
    "parameters": {"type": "dict", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}
PARTS = ("simple_python", "live_simple", "live_multiple", "multiple")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    texts = {f"checker/{name}.py": "" for name in ("java_type_converter", "js_type_converter")}
    texts |= {"checker/ast_checker.py": CHECKER, "checker/enums.py": ENUMS, "checker/type_mappings.py": ""}
    for part in PARTS:
        rows = [
            {
                "id": f"{part}_{n}",
                "question": [[{"role": "user", "content": f"{part} {n}"}]],
                "function": [WEATHER],
            }
            for n in range(3)
        ]
        truth = {"place": ["Ghent", "Gent"], "unit": ["", "C"], "box": [{"wide": [1, 2], "deep": ["", 3]}]}
        texts[f"{part}.json"] = lines(rows)
        texts[f"possible_answer/{part}.json"] = lines(
            [{"id": row["id"], "ground_truth": [{"weather.at": truth}]} for row in rows]
        )
    return write_files(tmp_path, texts)


@pytest.mark.parametrize("category", ["live_simple", "live_multiple", "multiple", "dev"])
def test_calls_are_told_from_wrong_ones(files: Files, category: str) -> None:
    case = code("bfcl-calls").read_cases(files, category)[0]
    right = {"name": "weather.at", "arguments": {"place": "Gent"}}
    wrong = {"name": "weather.at", "arguments": {"place": "Aalst"}}
    assert judge("bfcl-calls", case, right, files) == 1.0
    assert judge("bfcl-calls", case, {"call": right}, files) == 1.0
    assert judge("bfcl-calls", case, wrong, files) == 0.0
    assert judge("bfcl-calls", case, {"name": None, "arguments": {}}, files) == 0.0
    assert judge("bfcl-calls", case, {"label": "x"}, files) == 0.0
    assert judge("bfcl-calls", case, None, files) == 0.0


def test_of_several_calls_none_is_right_where_one_is_asked_for(files: Files) -> None:
    (case, *_) = code("bfcl-transfer").read_cases(files, "live_simple")
    right, wrong = ({"name": "weather.at", "arguments": {"place": place}} for place in ("Gent", "Aalst"))
    assert judge("bfcl-transfer", case, {"calls": [right]}, files) == 1.0
    for calls in ([wrong], [right, wrong], [right, right], []):
        assert judge("bfcl-transfer", case, {"calls": calls}, files) == 0.0
    assert judge("bfcl-transfer", case, None, files) == 0.0


def test_what_was_developed_on_is_not_measured(files: Files, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="live_simple"):
        code("bfcl-calls").read_cases(files, "simple_python")
    assert [case.id for case in code("bfcl-calls").read_cases(files, "dev")] == ["simple_python_1"]
    code("bfcl-calls").materials(files, tmp_path)
    assert [shot.text for shot in read_shots(tmp_path)] == ["simple_python 0", "simple_python 2"]
    files["multiple.json"].write_text(files["simple_python.json"].read_text("utf-8"), "utf-8")
    assert code("bfcl-calls").read_cases(files, "multiple") == []


def test_a_worked_example_is_one_right_call_without_what_may_be_left_out(
    files: Files, tmp_path: Path
) -> None:
    code("bfcl-calls").materials(files, tmp_path)
    shot = read_shots(tmp_path)[0]
    assert shot.answer == {"name": "weather.at", "arguments": {"place": "Ghent", "box": {"wide": 1}}}


def test_the_function_alone_by_hand() -> None:
    gold = BfclCase(
        id="m", category="multiple", text="t", functions=(WEATHER,), ground_truth=({"weather.at": {}},)
    )
    case = Case(id="m", category="multiple", inputs={}, gold=gold.model_dump(mode="json"))
    answers: list[Any] = [
        {"call": {"name": "weather.at"}},
        {"name": "other"},
        {"call": None},
        "no call",
        None,
    ]
    pairs = [(case, answer) for answer in answers]
    assert code("bfcl-calls").metrics(pairs) == {"function_accuracy": 0.2}


async def test_worked_examples_stand_before_the_functions_and_change_nothing_else() -> None:
    said = {"name": "weather.at", "arguments": {"place": "Ghent"}}
    plain, taught = says(said), says(said)
    inputs: dict[str, Any] = {"text": "Ghent?", "tools": [WEATHER]}
    await ask("use-tool", inputs, plain)
    await ask("use-tool", {**inputs, "shots": [{"shown": "Text: a", "answer": said}]}, taught)
    without, within = (model.requests[0].messages[-1].content for model in (plain, taught))
    assert without.startswith("Function weather.at")
    assert within == f"Text: a\n{json.dumps(said)}\n\n{without}"


def test_the_real_questions(tmp_path: Path) -> None:
    files = real_files("bfcl")
    if files is None:
        pytest.skip("the leaderboard's files are not in the cache")
    sizes = {part: len(code("bfcl-calls").read_cases(files, part)) for part in (*PARTS[1:], "dev")}
    assert sizes == {"live_simple": 258, "live_multiple": 1053, "multiple": 97, "dev": 200}
    code("bfcl-calls").materials(files, tmp_path)
    shots = {shot.text: shot.answer for shot in read_shots(tmp_path)}
    assert len(shots) == 200
    learned = {row.text: row for row in _learned(files) if row.text in shots}
    for text, row in learned.items():
        case = Case(id=row.id, category="dev", inputs={}, gold=row.model_dump(mode="json"))
        assert judge("bfcl-calls", case, shots[text], files) == 1.0, row.id


def _learned(files: Files) -> list[BfclCase]:
    return read_cases(files, "simple_python")[::2]
