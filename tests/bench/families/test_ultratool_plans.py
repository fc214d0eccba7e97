"""ultratool-plans: which tools a request needs, and in which order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ContentError
from orchestrator.kit.plangraph import chain
from orchestrator.kit.shots import read_shots
from orchestrator.types import Answer
from tests.agents.crew import says, session
from tests.bench.families.content import Files, agent_of, ask_own, judge, lines, real_files, write_files
from tests.bench.families.helpers import code

TOOLS = {
    "flight_search": "Search for flights",
    "search_flight": "Search flights",
    "book_flight": "Book a flight ticket",
    "set_alarm": "Set an alarm",
    "cancel_alarm": "Cancel an alarm",
    "send_sms": "Send a text message",
    "send_email": "Send an email message",
    "book_hotel": "Book a hotel room",
    "weather": "Weather forecast",
    "translate": "Translate a text",
}


def row(number: int, *names: str) -> dict[str, Any]:
    return {
        "id": str(number),
        "user_request": f"Request {number}\n",
        "task_nodes": [{"task": name} for name in names],
    }


@pytest.fixture
def files(tmp_path: Path) -> Files:
    nodes = [{"id": name, "desc": text} for name, text in TOOLS.items()]
    rows = [
        row(1, "flight_search", "book_flight"),
        row(2, "set_alarm", "send_sms", "weather"),
        row(3, "set_alarm", "set_alarm"),
        row(10, "set_alarm", "send_sms"),
        row(11, "weather", "send_sms"),
    ]
    return write_files(
        tmp_path,
        {
            "data.json": lines(rows),
            "tool_desc.json": json.dumps({"nodes": nodes}),
            "split_ids.json": json.dumps({"test_ids": {"chain": ["1", "2", "3"]}}),
        },
    )


def test_the_published_split_is_measured_and_the_rest_is_not(files: Files, tmp_path: Path) -> None:
    found = {
        part: [case.id for case in code("ultratool-plans").read_cases(files, part)]
        for part in ("test", "dev")
    }
    assert found == {"test": ["ultratool_1", "ultratool_2"], "dev": ["ultratool_10"]}
    code("ultratool-plans").materials(files, tmp_path)
    (shot,) = read_shots(tmp_path)
    assert shot.text == "Request 11"
    assert shot.answer == {
        "steps": [{"tool": "weather", "after": []}, {"tool": "send_sms", "after": ["weather"]}]
    }


def test_the_right_tools_stand_among_their_likes_but_not_their_doubles(files: Files) -> None:
    first = code("ultratool-plans").read_cases(files, "test")[0]
    names = [tool["name"] for tool in first.inputs["tools"]]
    assert len(names) == len(set(names)) == 8
    assert {"flight_search", "book_flight", "book_hotel"} <= set(names)
    assert "search_flight" not in names
    assert first.inputs["text"] == "Request 1"


def test_a_row_without_nodes_is_refused(files: Files) -> None:
    files["data.json"].write_text('{"id": "1", "user_request": "x"}\n', "utf-8")
    with pytest.raises(ContentError, match="KeyError: 'task_nodes'"):
        code("ultratool-plans").read_cases(files, "test")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (chain(["set_alarm", "send_sms", "weather"]), 1.0),
        # All three tools, one of two links right.
        (
            [*chain(["set_alarm", "send_sms"]), {"tool": "weather", "after": ["set_alarm"]}],
            (1 + 1 / 2) / 2,
        ),
        # Two of three tools, one of two links.
        (chain(["set_alarm", "send_sms"]), (4 / 5 + 2 / 3) / 2),
        (chain(["weather"]), (2 / 4 + 0) / 2),
        # Cannot be run, and has one of three tools all the same; in the second, one of two links too.
        (chain(["set_alarm", "fly"]), (2 / 5 + 0) / 2),
        ([{"tool": "send_sms", "after": ["set_alarm"]}], (2 / 4 + 2 / 3) / 2),
        ([], 0.0),
        ("set_alarm", 0.0),
    ],
)
def test_grades_by_hand(files: Files, steps: Any, expected: float) -> None:
    case = code("ultratool-plans").read_cases(files, "test")[1]
    assert judge("ultratool-plans", case, {"steps": steps}) == pytest.approx(expected)
    assert judge("ultratool-plans", case, None) == 0.0
    alone = case.model_copy(update={"gold": chain(["weather"])})
    assert judge("ultratool-plans", alone, {"steps": []}) == 0.0, "no links, as in the right plan"


def test_figures_by_hand(files: Files) -> None:
    case = code("ultratool-plans").read_cases(files, "test")[0]
    right = {"steps": chain(["flight_search", "book_flight"])}
    turned = {"steps": chain(["book_flight", "flight_search"])}
    circle = {
        "steps": [
            {"tool": "flight_search", "after": ["book_flight"]},
            {"tool": "book_flight", "after": ["flight_search"]},
        ]
    }
    found = code("ultratool-plans").metrics([(case, right), (case, turned), (case, circle), (case, None)])
    assert found == {
        "node_f1": 3 / 4,
        "link_f1": pytest.approx((1 + 0 + 2 / 3) / 4),
        "valid_plan": 2 / 4,
        "exact_plan": 1 / 4,
    }


async def test_a_generator_is_held_to_the_tools() -> None:
    plan = {"steps": chain(["weather", "send_sms"])}
    model = says(plan)
    tools = [{"name": name, "description": text} for name, text in TOOLS.items()]
    inputs = {"text": "the weather by text", "tools": tools, "shots": [{"shown": "R", "answer": plan}]}
    assert (await ask_own("tool-plans", "plan-steps", inputs, model)).output == plan
    request = model.requests[0]
    assert request.json_schema
    steps = request.json_schema["properties"]["steps"]
    assert steps["maxItems"] == 8
    assert steps["items"]["properties"]["tool"]["enum"] == list(TOOLS)
    prompt = request.messages[-1].content
    assert prompt.index(json.dumps(plan)) < prompt.index("- weather: Weather forecast")
    assert prompt.endswith("Request: the weather by text")


async def test_a_step_that_is_repeated_is_dropped() -> None:
    plan = chain(["weather", "send_sms"])
    model = says({"steps": [*plan, {"tool": "weather", "after": ["send_sms"]}]})
    inputs = {"text": "x", "tools": [{"name": "weather"}, {"name": "send_sms"}]}
    assert (await ask_own("tool-plans", "plan-steps", inputs, model)).output == {"steps": plan}


def test_a_plan_that_waits_for_itself_is_refused() -> None:
    agent = agent_of("tool-plans", "plan-steps")
    inputs = {"text": "x", "tools": [{"name": "a"}, {"name": "b"}]}

    def refused(steps: Any) -> list[str]:
        return [c.name for c in agent.check(inputs, Answer(output={"steps": steps})) if not c.passed]

    assert refused(chain(["a", "b"])) == []
    assert refused([{"tool": "a", "after": ["a"]}]) == ["can_be_run"]
    assert refused([]) == ["can_be_run"]


async def test_the_floor_plans_in_the_order_of_mention() -> None:
    tools = [{"name": name, "description": text} for name, text in TOOLS.items()]
    inputs = {"text": "Cancel my alarm and then send an email message.", "tools": tools}
    answer = await ask_own("tool-plans", "plan-by-mention", inputs, session())
    assert answer.output == {"steps": chain(["cancel_alarm", "send_email"])}


def test_the_real_files(tmp_path: Path) -> None:
    files = real_files("ultratool-plans")
    if files is None:
        pytest.skip("LILLIPUT_DATA_DIR does not hold ultratool")
    test, dev = (code("ultratool-plans").read_cases(files, part) for part in ("test", "dev"))
    code("ultratool-plans").materials(files, tmp_path)
    learned = {shot.text for shot in read_shots(tmp_path)}
    assert len(test) + len(dev) + len(learned) == 3_527 - 39
    assert len(test) > 480
    assert not learned & {case.inputs["text"] for case in (*test, *dev)}
    assert not {case.id for case in test} & {case.id for case in dev}
    for case in test:
        assert len(case.inputs["tools"]) == 8
        assert judge("ultratool-plans", case, {"steps": case.gold}) == 1.0
