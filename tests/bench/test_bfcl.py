"""BFCL through its official checker. Every case of three categories; the files are fetched once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from orchestrator.bench.bfcl import (
    BfclCase,
    Call,
    Category,
    Score,
    Scorer,
    call_of,
    measured_cases,
    read_cases,
)
from orchestrator.bench.data import Dataset
from orchestrator.errors import InvalidInput
from tests.bench.helpers import RIGHT, SCORER, make_bfcl_case
from tests.bench.small_bfcl import add_small_bfcl

LEFT_OUT = object()
CALLING: list[Category] = ["simple_python", "multiple"]
SIZES: dict[Category, int] = {
    "simple_python": 400,
    "multiple": 200,
    "irrelevance": 240,
    "live_simple": 258,
    "live_multiple": 1053,
    "live_irrelevance": 884,
}


def chosen(options: list[Any]) -> Any:
    """One of the values that the leaderboard accepts; an empty string among them means "may be left out"."""
    named = [option for option in options if option != ""]
    if not named:
        return LEFT_OUT if "" in options else ""
    return plain(named[0])


def plain(value: Any) -> Any:
    """Inside a dict of the ground truth every value is again a list of options."""
    if isinstance(value, dict):
        picked = {key: chosen(options) for key, options in value.items()}
        return {key: item for key, item in picked.items() if item is not LEFT_OUT}
    return [plain(item) for item in value] if isinstance(value, list) else value


def right_call(case: BfclCase) -> Call:
    (expected,) = case.ground_truth
    ((name, parameters),) = expected.items()
    return Call(name=name, arguments=plain(parameters))


@pytest.fixture(scope="module")
def scorer(bfcl: Dataset) -> Scorer:
    return Scorer.from_files(bfcl.files)


@pytest.mark.real
@pytest.mark.parametrize("category", CALLING)
def test_every_ground_truth_is_valid(bfcl: Dataset, scorer: Scorer, category: Category) -> None:
    cases = read_cases(bfcl.files, category)
    assert len(cases) == SIZES[category]
    assert [case.id for case in cases if not scorer.score_call(case, right_call(case)).valid] == []


@pytest.mark.real
@pytest.mark.parametrize("category", CALLING)
def test_every_mutation_of_a_ground_truth_is_invalid(
    bfcl: Dataset, scorer: Scorer, category: Category
) -> None:
    for case in read_cases(bfcl.files, category):
        call = right_call(case)
        mutations = [
            None,
            Call(name=call.name + "_", arguments=call.arguments),
            Call(name=call.name.replace(".", "_") + "_", arguments=call.arguments),
            Call(name=call.name, arguments={**call.arguments, "no_such_parameter": 1}),
            *(Call(name=call.name, arguments={**call.arguments, key: "§"}) for key in call.arguments),
            *(
                Call(name=call.name, arguments={k: v for k, v in call.arguments.items() if k != key})
                for key in case.functions[0]["parameters"]["required"]
                if key in call.arguments and category == "simple_python"
            ),
        ]
        assert [item for item in mutations if scorer.score_call(case, item).valid] == [], case.id


@pytest.mark.real
def test_irrelevance_wants_no_call(bfcl: Dataset, scorer: Scorer) -> None:
    cases = read_cases(bfcl.files, "irrelevance")
    assert len(cases) == SIZES["irrelevance"]
    for case in cases:
        assert scorer.score_call(case, None).valid
        assert not scorer.score_call(case, Call(name=case.functions[0]["name"], arguments={})).valid


@pytest.mark.real
@pytest.mark.parametrize("category", list(SIZES))
def test_every_function_becomes_a_tool_that_its_own_right_call_fits(
    bfcl: Dataset, category: Category
) -> None:
    cases = read_cases(bfcl.files, category)
    assert len(cases) == SIZES[category]
    # The `live_` sets repeat their functions over many cases, and checking a schema takes its time.
    for case in cases[:: 10 if category.startswith("live_") else 1]:
        tools = {tool["name"]: tool for tool in case.tools}
        assert list(tools) == [function["name"] for function in case.functions]
        for tool in tools.values():
            jsonschema.Draft202012Validator.check_schema(tool["parameters"])
            assert tool["parameters"]["type"] == "object"


@pytest.mark.real
def test_where_others_speak_too_everybody_is_named(bfcl: Dataset) -> None:
    cases = read_cases(bfcl.files, "live_simple")
    spoken = [case.text for case in cases if case.text.startswith("system: ")]
    assert spoken
    assert all("\n\nuser: " in text for text in spoken)


@pytest.mark.real
def test_the_checker_raising_is_a_wrong_answer(bfcl: Dataset, scorer: Scorer) -> None:
    (case, *_) = read_cases(bfcl.files, "multiple")
    broken = case.model_copy(update={"ground_truth": ({case.functions[0]["name"]: None},)})
    assert scorer.score_call(broken, right_call(case)).kind == "checker_raised"


def test_a_score_carries_the_checkers_class_of_error() -> None:
    case = make_bfcl_case(1)
    assert SCORER.score_call(case, call_of(RIGHT)) == Score(valid=True)
    wrong = SCORER.score_call(case, None)
    assert (wrong.valid, wrong.kind, wrong.error) == (False, "value_error:string", "not Ghent")


def test_tools_are_json_schema_for_any_agent() -> None:
    (tool,) = make_bfcl_case(1).tools
    assert tool["name"] == "weather.at"
    assert tool["parameters"]["type"] == "object"
    assert tool["parameters"]["properties"]["days"]["type"] == "number"
    assert tool["parameters"]["required"] == ["place"]


@pytest.mark.parametrize("answer", [None, {"name": None}, {"name": None, "arguments": {}}, {"call": None}])
def test_an_abstention_is_no_call(answer: Any) -> None:
    assert call_of(answer) is None


def test_a_workflow_may_name_its_call() -> None:
    assert call_of({"call": RIGHT}) == call_of(RIGHT) == Call(name="weather.at", arguments={"place": "Ghent"})


@pytest.mark.parametrize("answer", ["weather.at()", 3, {"tool": "weather.at"}, [], {}])
def test_an_answer_that_is_no_call_never_passes_as_an_abstention(answer: Any) -> None:
    with pytest.raises(InvalidInput, match="name, arguments"):
        call_of(answer)


def test_a_question_that_was_developed_on_is_not_measured(tmp_path: Path) -> None:
    add_small_bfcl(tmp_path)
    files = {
        str(file.relative_to(tmp_path / "data")): file
        for file in (tmp_path / "data").rglob("*")
        if file.is_file()
    }
    assert [case.id for case in measured_cases(files, "multiple")] == [
        "multiple_0",
        "multiple_1",
        "multiple_2",
    ]
    assert len(read_cases(files, "multiple")) == 4
    assert [case.id for case in measured_cases(files, "simple_python")] == ["simple_python_9"]
    known = read_cases(files, "simple_python")[0].text
    rows = [json.loads(line) for line in files["multiple.json"].read_text("utf-8").splitlines()]
    rows[0]["question"][0][0]["content"] = f"{known.upper()} 'Please'!"
    files["multiple.json"].write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert [case.id for case in measured_cases(files, "multiple")] == ["multiple_1", "multiple_2"]
