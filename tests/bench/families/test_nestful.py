"""nestful: plans out of sequences of calls that name each other's results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ContentError
from orchestrator.kit.shots import read_shots
from orchestrator.tools import load_module
from tests.bench.families.content import Files, judge, real_files, write_files
from tests.bench.families.helpers import ROOT, code

SCORE = load_module(ROOT / "benchmarks" / "nestful" / "score.py")
NAMES = [
    "find_airport",
    "find_flight",
    "find_hotel",
    "convert_money",
    "bake",
    "sing",
    "dance",
    "swim",
    "read",
]


def call(name: str, label: str | None, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments} | ({"label": label} if label else {})


NESTED = [
    call("find_airport", "var1", query="Ghent"),
    call("find_hotel", "var2", query="Ghent"),
    call("find_flight", "var3", origin="$var1.code$", near={"ids": ["$var2$"]}),
    call("var_result", None, flight="$var3$"),
]
PLAN = [
    {"tool": "find_airport", "after": []},
    {"tool": "find_hotel", "after": []},
    {"tool": "find_flight", "after": ["find_airport", "find_hotel"]},
]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    twice = [call("bake", "var1"), call("bake", "var2"), call("var_result", None)]
    rows = [
        {"input": "fly to Ghent", "output": NESTED},
        {"input": "bake twice", "output": twice},
        {"input": "sing", "output": [call("sing", "var1"), call("var_result", None)]},
        {"input": "dance", "output": [call("dance", "var1"), call("var_result", None)]},
    ]
    tools = [{"name": name, "description": name.replace("_", " ")} for name in NAMES]
    texts: dict[str, str] = {}
    for part in ("executable", "glaive", "sgd"):
        own = [{**row, "input": f"{part}: {row['input']}"} for row in rows]
        texts |= {f"{part}-data.json": json.dumps(own), f"{part}-spec.json": json.dumps(tools)}
    return write_files(tmp_path, texts)


def test_a_step_waits_for_what_its_arguments_name() -> None:
    assert SCORE.plan_of(NESTED) == PLAN
    assert SCORE.plan_of([call("a", "var1"), call("b", "var2", x="$var1.y$ and $var1.z$")])[1] == {
        "tool": "b",
        "after": ["a"],
    }
    with pytest.raises(KeyError):
        SCORE.plan_of([call("a", "var1", x="$var9$")])


def test_parts_are_disjoint_and_double_calls_left_out(files: Files, tmp_path: Path) -> None:
    found = {part: [case.id for case in code("nestful").read_cases(files, part)] for part in ("test", "dev")}
    assert found["test"] == [f"{part}_{n}" for part in ("executable", "glaive") for n in (0, 2, 3)]
    assert found["dev"] == ["sgd_3"]
    code("nestful").materials(files, tmp_path)
    shots = read_shots(tmp_path)
    assert [shot.text for shot in shots] == ["sgd: fly to Ghent", "sgd: sing"]
    assert shots[0].answer == {"steps": PLAN}


def test_the_right_tools_stand_among_eight(files: Files) -> None:
    case = code("nestful").read_cases(files, "test")[0]
    names = [tool["name"] for tool in case.inputs["tools"]]
    assert len(names) == len(set(names)) == 8
    assert {"find_airport", "find_flight", "find_hotel"} < set(names)


def test_a_call_of_an_unknown_tool_is_refused(files: Files) -> None:
    files["glaive-spec.json"].write_text("[]", "utf-8")
    with pytest.raises(ContentError, match="KeyError: 'find_airport'"):
        code("nestful").read_cases(files, "test")


def test_grades_and_figures_by_hand(files: Files) -> None:
    case = code("nestful").read_cases(files, "test")[0]
    half = {"steps": [PLAN[0], PLAN[1], {"tool": "find_flight", "after": ["find_hotel"]}]}
    assert judge("nestful", case, {"steps": PLAN[::-1]}) == 1.0
    assert judge("nestful", case, half) == pytest.approx((1 + 2 / 3) / 2)
    assert judge("nestful", case, {"steps": PLAN[:1]}) == pytest.approx((2 / 4 + 0) / 2)
    assert judge("nestful", case, {"steps": [{"tool": "fly", "after": []}]}) == 0.0
    assert judge("nestful", case, None) == 0.0
    assert code("nestful").metrics([(case, {"steps": PLAN}), (case, half), (case, None)]) == {
        "node_f1": pytest.approx(2 / 3),
        "link_f1": pytest.approx((1 + 2 / 3) / 3),
        "valid_plan": pytest.approx(2 / 3),
        "exact_plan": pytest.approx(1 / 3),
    }


def test_the_real_files(tmp_path: Path) -> None:
    files = real_files("nestful")
    if files is None:
        pytest.skip("the wheel's files are not in the cache")
    test, dev = (code("nestful").read_cases(files, part) for part in ("test", "dev"))
    assert (len(test), len(dev)) == (85 + 169 - 10, 23)
    code("nestful").materials(files, tmp_path)
    learned = {shot.text for shot in read_shots(tmp_path)}
    assert len(learned) == 21
    assert not learned & {case.inputs["text"] for case in (*test, *dev)}
    for case in test:
        assert judge("nestful", case, {"steps": case.gold}) == 1.0
