"""seal-calls: several calls for one request, scored by tools and parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.bench.cases import Case
from orchestrator.errors import ContentError
from orchestrator.kit.shots import read_shots
from tests.agents.crew import ask, refused, says
from tests.bench.families.content import Files, ask_own, judge, lines, real_files, write_files
from tests.bench.families.helpers import code

GOLD = [
    {"name": "getDepth", "arguments": {"lake": "Garda", "unit": "m"}},
    {"name": "getNurses", "arguments": {"year": 2021}},
]
CASE = Case(id="x", category="several", inputs={}, gold=GOLD)
AREA = {
    "name": "area",
    "description": "Area of a triangle.",
    "parameters": {
        "type": "object",
        "properties": {"base": {"type": "integer"}, "height": {"type": "number"}},
        "required": ["base", "height"],
    },
}
WEATHER = {
    "name": "get_weather",
    "description": "Weather forecast of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}, "now": {"type": "boolean"}},
        "required": ["city", "unit", "now"],
    },
}


def row(name: str, *tools: str, **parameters: Any) -> dict[str, Any]:
    calls = [{"api": tool, "parameters": parameters, "responses": []} for tool in tools]
    return {"id": name, "query": f"query {name}", "calling": calls}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    names = ["getDepth", "getLakeDepth", "getNurses", "getNurseCount", "bakeBread", "bakeCake"]
    tools: list[dict[str, Any]] = [
        {"api_name": name, "api_description": name, "parameters": {}, "required": None} for name in names
    ]
    rows = [row("dev-0", "getDepth", lake="Como"), row("dev-1", "getDepth", "getNurses")]
    test = [
        row("test-0", "getDepth", lake="Garda"),
        row("test-1", "getDepth", "bakeBread"),
        row("test-2", "getDepth", "getNurses", lake="API_call_0"),
    ]
    return write_files(
        tmp_path,
        {"dev.jsonl": lines(rows), "test_in_domain.jsonl": lines(test), "tool.jsonl": lines(tools)},
    )


def test_single_several_and_nested_requests_are_told_apart(files: Files) -> None:
    found = {
        part: [case.id for case in code("seal-calls").read_cases(files, part)]
        for part in ("single", "several", "any", "dev-single", "dev-several")
    }
    assert found == {
        **{"single": ["test-0"], "several": ["test-1"], "any": ["test-0", "test-1"]},
        **{"dev-single": [], "dev-several": ["dev-1"]},
    }
    with pytest.raises(ContentError, match="KeyError: 'nested'"):
        code("seal-calls").read_cases(files, "nested")


def test_generators_learn_from_all_development_rows_but_those_they_are_chosen_by(files: Files) -> None:
    rows = [row(f"dev-{n}", *["getDepth"] * (1 + (n > 1))) for n in range(4)]
    files["dev.jsonl"].write_text(lines(rows), "utf-8")
    assert [case.id for case in code("seal-calls").training(files) or ()] == ["dev-0", "dev-2", "dev-3"]
    assert [case.id for case in code("seal-calls").read_cases(files, "dev-single")] == ["dev-1"]


def test_the_right_tools_stand_among_two_similar_ones(files: Files) -> None:
    (one,) = code("seal-calls").read_cases(files, "single")
    names = {tool["name"] for tool in one.inputs["tools"]}
    assert {"getDepth", "getLakeDepth"} < names
    assert len(names) == 3
    (several,) = code("seal-calls").read_cases(files, "several")
    names = {tool["name"] for tool in several.inputs["tools"]}
    assert names == {"getDepth", "bakeBread", "getLakeDepth", "bakeCake"}


def test_a_row_of_an_unknown_tool_is_refused(files: Files) -> None:
    files["test_in_domain.jsonl"].write_text(lines([row("t", "unknown")]), "utf-8")
    with pytest.raises(ContentError, match="KeyError: 'unknown'"):
        code("seal-calls").read_cases(files, "single")


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        (GOLD, 1.0),
        (GOLD[::-1], 1.0),
        # 2 tools + 2 values right of 5 made and 5 gold.
        ([GOLD[0] | {"arguments": {"lake": "Como", "unit": "m"}}, GOLD[1]], 2 * 4 / 10),
        # 1 tool + 2 values right of 3 made and 5 gold.
        ([GOLD[0]], 2 * 3 / 8),
        # The same call twice: the second is wrong. 3 right of 6 made and 5 gold.
        ([GOLD[0], GOLD[0]], 2 * 3 / 11),
        ([{"name": "getNurses", "arguments": {"year": "2021.0"}}], 2 * 2 / 7),
        ([{"name": "bakeBread", "arguments": {"lake": "Garda"}}], 0.0),
    ],
)
def test_grades_by_hand(calls: list[dict[str, Any]], expected: float) -> None:
    assert judge("seal-calls", CASE, {"calls": calls}) == pytest.approx(expected)


@pytest.mark.parametrize("answer", [{"calls": []}, {"calls": [1]}, {"calls": [{"name": "a"}]}, [], None])
def test_what_is_no_list_of_calls_scores_nothing(answer: Any) -> None:
    assert judge("seal-calls", CASE, answer) == 0.0


def test_figures_by_hand() -> None:
    wrong = [GOLD[0] | {"arguments": {"lake": "Como"}}, {"name": "bakeBread", "arguments": {}}]
    found = code("seal-calls").metrics([(CASE, {"calls": GOLD}), (CASE, {"calls": wrong}), (CASE, None)])
    assert found == {
        "format_accuracy": pytest.approx(2 / 3),
        "tool_precision": 3 / 4,
        "tool_recall": 3 / 6,
        "tool_f1": pytest.approx(6 / 10),
        "parameter_precision": 3 / 4,
        "parameter_recall": 3 / 9,
        "parameter_f1": pytest.approx(6 / 13),
    }


def test_generators_learn_from_the_even_rows(files: Files, tmp_path: Path) -> None:
    code("seal-calls").materials(files, tmp_path)
    (shot,) = read_shots(tmp_path)
    assert shot.shown == "Text: query dev-0"
    assert shot.answer == {"calls": [{"name": "getDepth", "arguments": {"lake": "Como"}}]}


async def test_use_tools_holds_every_call_to_its_tool() -> None:
    calls = [{"name": "area", "arguments": {"base": 3, "height": 4}}]
    model = says({"calls": calls})
    inputs = {"text": "base 3, height 4", "tools": [AREA, WEATHER], "shots": [{"shown": "T", "answer": 1}]}
    asked = await ask("use-tools", inputs, model)
    assert asked.output == {"calls": [{"name": "area", "arguments": {"base": 3, "height": 4.0}}]}
    assert not asked.refused
    schema = model.requests[0].json_schema
    assert schema
    assert schema["properties"]["calls"]["maxItems"] == 2
    assert "T\n1" in model.requests[0].messages[-1].content


def test_use_tools_refuses_what_the_text_does_not_say() -> None:
    inputs = {"text": "base 3, height 4, Ghent", "tools": [AREA, WEATHER]}

    def said(*calls: tuple[str, dict[str, Any]]) -> set[str]:
        made = [{"name": name, "arguments": arguments} for name, arguments in calls]
        return set(refused("use-tools", inputs, {"calls": made}))

    fine = ("area", {"base": 3, "height": 4.0})
    assert not said(fine)
    assert said(fine, fine) == {"each_once"}
    assert said(fine, ("area", {"base": 3, "height": 77.0})) == {"numbers_from_text"}
    assert said(fine, ("area", {"base": 3})) == {"arguments_fit"}
    assert said(("get_weather", {"city": "Bruges", "unit": "C", "now": True})) == {"words_from_text"}
    assert "no_placeholder" in said(("get_weather", {"city": "<city>", "unit": "C", "now": True}))


async def test_the_floor_fills_in_what_comes_next() -> None:
    text = 'Area of a triangle with base 3 and height 4.5. What is the weather forecast in "New York"?'
    inputs = {"text": text, "tools": [AREA, WEATHER], "several": True}
    answer = await ask_own("tool-calls", "calls-by-rules", inputs)
    assert answer.output["calls"] == [
        {"name": "area", "arguments": {"base": 3, "height": 4.5}},
        {"name": "get_weather", "arguments": {"city": "New York", "unit": "C", "now": True}},
    ]
    one = await ask_own("tool-calls", "calls-by-rules", {"text": text, "tools": [AREA, WEATHER]})
    assert len(one.output["calls"]) == 1


async def test_the_floor_leaves_out_what_it_cannot_find() -> None:
    answer = await ask_own("tool-calls", "calls-by-rules", {"text": "the area", "tools": [AREA]})
    assert answer.output == {"calls": [{"name": "area", "arguments": {}}]}


def test_the_real_files(tmp_path: Path) -> None:
    files = real_files("seal-tools")
    if files is None:
        pytest.skip("LILLIPUT_DATA_DIR does not hold seal-tools")
    several, dev = (code("seal-calls").read_cases(files, part) for part in ("several", "dev-single"))
    assert len(several) > 450
    for case in several:
        names = [tool["name"] for tool in case.inputs["tools"]]
        wanted = {call["name"] for call in case.gold}
        assert wanted < set(names)
        assert len(names) == len(set(names)) == len(wanted) + 2
        assert judge("seal-calls", case, {"calls": case.gold}) == 1.0
    code("seal-calls").materials(files, tmp_path)
    learned = {shot.text for shot in read_shots(tmp_path)}
    assert not learned & {case.inputs["text"] for case in (*several, *dev)}
