"""bfcl-live: the choice of a function alone, on what users of the leaderboard asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ContentError, InvalidInput
from orchestrator.kit.shots import Shot, read_shots, write_shots
from orchestrator.types import GenerateRequest
from tests.agents.crew import says, session
from tests.bench.families.content import Files, ask_own, judge, lines, real_files, write_files
from tests.bench.families.helpers import code

WEATHER = {"name": "weather.at", "description": "Weather forecast of a place.", "parameters": {}}
ALARM = {"name": "set_alarm", "description": "Set an alarm for a time.", "parameters": {}}
PLACE = {"type": "object", "properties": {"place": {}, "day": {}}, "required": ["place"]}
PARTS = [f"{live}{part}" for live in ("live_", "") for part in ("multiple", "irrelevance")]
PARTS += ["live_simple", "simple_python"]


def question(name: str, text: str, *functions: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "question": [[{"role": "user", "content": text}]], "function": list(functions)}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    texts: dict[str, str] = {}
    for part in PARTS:
        irrelevant = part.endswith("irrelevance")
        rows = [question(f"{part}_{n}", f"{part} {n}", WEATHER, ALARM) for n in range(4)]
        if irrelevant:
            rows.append(question(f"{part}_9", "nothing is offered"))
        truth = [{"id": row["id"], "ground_truth": [{"set_alarm": {}}]} for row in rows]
        texts[f"{part}.json"] = lines(rows)
        texts[f"possible_answer/{part}.json"] = lines(truth)
    return write_files(tmp_path, texts)


def test_cases_that_offer_no_function_are_left_out(files: Files) -> None:
    cases = code("bfcl-live").read_cases(files, "test")
    assert [case.gold for case in cases] == ["set_alarm"] * 8 + [None] * 4
    assert {tool["name"] for tool in cases[0].inputs["tools"]} == {"weather.at", "set_alarm"}


def test_what_is_learned_from_is_neither_measured_nor_worked_on(files: Files, tmp_path: Path) -> None:
    code("bfcl-live").materials(files, tmp_path)
    learned = {shot.text for shot in read_shots(tmp_path)}
    measured = {
        case.inputs["text"] for part in ("test", "dev") for case in code("bfcl-live").read_cases(files, part)
    }
    assert learned == {f"{part} {n}" for part in PARTS if "live" not in part for n in (0, 2)}
    assert not learned & measured
    shot = read_shots(tmp_path)[0]
    assert shot.shown == "Functions:\n- weather.at\n- set_alarm\n\nText: multiple 0"
    assert shot.answer == {"tool": "set_alarm"}


def test_a_row_that_is_no_question_is_refused(files: Files) -> None:
    files["live_multiple.json"].write_text('{"id": "live_multiple_0"}\n', "utf-8")
    with pytest.raises(ContentError, match="KeyError: 'question'"):
        code("bfcl-live").read_cases(files, "test")
    files["live_multiple.json"].write_text(lines([question("x", "y", ALARM)] * 2), "utf-8")
    with pytest.raises(ContentError, match="comes twice"):
        code("bfcl-live").read_cases(files, "test")


def test_a_choice_and_an_abstention_are_told_from_wrong_ones(files: Files) -> None:
    cases = code("bfcl-live").read_cases(files, "test")
    fits, none = cases[0], cases[-1]
    assert judge("bfcl-live", fits, {"tool": "set_alarm"}) == 1.0
    assert judge("bfcl-live", fits, {"tool": "weather.at"}) == 0.0
    assert judge("bfcl-live", fits, {"tool": None}) == 0.0
    assert judge("bfcl-live", none, {"tool": None}) == 1.0
    assert judge("bfcl-live", none, {"tool": "set_alarm"}) == 0.0
    assert judge("bfcl-live", none, None) == 0.0


def test_figures_by_hand(files: Files) -> None:
    cases = code("bfcl-live").read_cases(files, "test")
    fits, none = cases[0], cases[-1]
    pairs = [(fits, {"tool": "set_alarm"}), (fits, {"tool": None}), (none, {"tool": None}), (none, None)]
    assert code("bfcl-live").metrics(pairs) == {
        "choice_accuracy": 0.5,
        "abstention_precision": 0.5,
        "abstention_recall": 0.5,
        "abstention_f1": 0.5,
    }
    assert code("bfcl-live").metrics(pairs[:1]) == {"choice_accuracy": 1.0}
    assert code("bfcl-live").metrics([(none, {"tool": "x"})])["abstention_precision"] == 0.0


def enum_of(request: GenerateRequest) -> list[str | None]:
    assert request.json_schema
    found: list[str | None] = request.json_schema["properties"]["tool"]["enum"]
    return found


async def test_the_floor_takes_most_words_in_common_or_none() -> None:
    inputs: dict[str, Any] = {"text": "set an alarm for seven", "tools": [WEATHER, ALARM]}
    assert (await ask_own("tool-choice", "tool-by-words", inputs)).output == {"tool": "set_alarm"}
    inputs |= {"text": "bake a cake", "least": 0.1}
    assert (await ask_own("tool-choice", "tool-by-words", inputs)).output == {"tool": None}


async def test_a_generator_is_held_to_the_names() -> None:
    model = says({"tool": "set_alarm"})
    inputs: dict[str, Any] = {
        "text": "wake me",
        "tools": [{**WEATHER, "parameters": PLACE}, {**ALARM, "description": "long " * 200}],
        "may_be_none": True,
        "shots": [{"shown": "Functions:\n- a\n\nText: b", "answer": {"tool": None}}],
    }
    assert (await ask_own("tool-choice", "pick-tool", inputs, model)).output == {"tool": "set_alarm"}
    request = model.requests[0]
    assert enum_of(request) == ["weather.at", "set_alarm", None]
    assert request.messages[0].content.endswith("When no function does it, the tool is null.")
    prompt = request.messages[-1].content
    assert prompt.index('{"tool": null}') < prompt.index("- weather.at(place): Weather forecast of a place.")
    assert "- set_alarm(): long" in prompt
    assert prompt.count("long") < 60
    assert prompt.index("Text: wake me") < prompt.index('or with {"tool": null} when no function')


async def test_without_none_a_generator_must_choose() -> None:
    model = says({"tool": "set_alarm"})
    await ask_own("tool-choice", "pick-tool", {"text": "x", "tools": [ALARM]}, model)
    request = model.requests[0]
    assert enum_of(request) == ["set_alarm"]
    assert all("null" not in message.content for message in request.messages)


# --- worked examples --------------------------------------------------------------------------------------


async def test_the_nearest_worked_example_comes_last(tmp_path: Path) -> None:
    shots = [Shot("set an alarm", "A", 1), Shot("weather in Ghent", "B", 2), Shot("bake bread", "C", 3)]
    write_shots(tmp_path, shots)
    inputs = {"text": "the weather in Ghent", "folder": ".", "many": 2}
    answer = await ask_own("few-shot", "nearest-shots", inputs, session(), tmp_path)
    assert len(answer.output["shots"]) == 2
    assert answer.output["shots"][-1] == {"shown": "B", "answer": 2}


@pytest.mark.parametrize(
    ("line", "said"),
    [('{"text": "a"}', ":2: "), ("no json", ":2: "), ('{"text": 1, "shown": "", "answer": 0}', "strings")],
)
def test_a_malformed_worked_example_is_named_by_its_line(tmp_path: Path, line: str, said: str) -> None:
    write_shots(tmp_path, [Shot("a", "b", {"c": "é"})])
    assert read_shots(tmp_path) == (Shot("a", "b", {"c": "é"}),)
    file = tmp_path / "shots.jsonl"
    file.write_text(file.read_text("utf-8") + line + "\n", "utf-8")
    with pytest.raises(InvalidInput, match=said):
        read_shots(tmp_path)


def test_no_worked_examples_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="There is no shots"):
        read_shots(tmp_path)
    (tmp_path / "shots.jsonl").write_text("\n", "utf-8")
    with pytest.raises(InvalidInput, match="holds no example"):
        read_shots(tmp_path)


# --- the real file ----------------------------------------------------------------------------------------


def test_the_real_questions(tmp_path: Path) -> None:
    files = real_files("bfcl")
    if files is None:
        pytest.skip("the leaderboard's files are not in the cache")
    test, dev = (code("bfcl-live").read_cases(files, part) for part in ("test", "dev"))
    assert (len(test), len(dev)) == (1053 + 258 + 880, 100 + 200 + 120)
    assert all(case.gold in [None, *(tool["name"] for tool in case.inputs["tools"])] for case in test)
    code("bfcl-live").materials(files, tmp_path)
    learned = {shot.text for shot in read_shots(tmp_path)}
    assert not learned & {case.inputs["text"] for case in (*test, *dev)}
    assert len(learned) > 300
