"""The built-in benchmarks: what they name exists, and each score.py tells right from wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bench.cases import Code, load_code
from orchestrator.bench.spec import all_benchmarks, code_of
from orchestrator.settings import Settings
from orchestrator.tools import load_toolbox
from orchestrator.types import RunResult
from orchestrator.workspace import Workspace, builtin_root
from tests.core.world import write

ROOT = builtin_root()
BENCHMARKS = {spec.name: spec for spec in all_benchmarks((ROOT,))}
# Their data set's licence does not let what was learnt from it be passed on.
TRAINED_HERE = {"sroie-1"}
CONLL = """\
# id = {id}
# text-en = wake me at six
# text = {text}
# intent = {intent}
1\tx\t{intent}\tO
"""


@pytest.mark.parametrize("name", BENCHMARKS)
def test_what_a_benchmark_names_exists(name: str) -> None:
    benchmark = BENCHMARKS[name]
    overlays = [ROOT / "benchmarks" / other for other in (*benchmark.content, name)]
    workspace = Workspace((ROOT, *overlays))
    workspace.insist()
    tools = load_toolbox(workspace.tool_files)
    for arm in benchmark.arms:
        if arm.workflow:
            for step in workspace.workflow(arm.workflow).steps:
                assert step.agent in workspace.agents or (step.tool or "") in tools
        else:
            assert arm.agent in workspace.agents
    models = {Settings().reference_model if model.startswith("$") else model for model in benchmark.models}
    assert models <= {*workspace.cards, *TRAINED_HERE}
    assert code_of((ROOT,), benchmark)


@pytest.mark.parametrize(
    "name", [name for name, spec in BENCHMARKS.items() if len(spec.arms) > 2 and spec.content]
)
def test_a_family_has_a_floor_and_a_reference(name: str) -> None:
    kinds = [arm.kind for arm in BENCHMARKS[name].arms]
    assert "floor" in kinds
    assert kinds[1] == "reference"
    assert kinds[0] not in ("floor", "reference")


def arms_but_for_words(name: str) -> dict[str, Any]:
    return {arm.name: arm.model_dump(exclude={"description"}) for arm in BENCHMARKS[name].arms}


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("clinc150", {"small-zero", "small-few"}),
        ("nestful", {"small-zero", "small-few", "reference"}),
        ("snips", {"small-zero", "crew", "reference"}),
    ],
)
def test_a_repetition_asks_in_the_same_words(name: str, left_out: set[str]) -> None:
    """All arms of the first time but those that were far behind, on the cases that it left over."""
    first, again = BENCHMARKS[name], BENCHMARKS[f"{name}-again"]
    arms = arms_but_for_words(name)
    assert arms_but_for_words(again.name) == {key: arms[key] for key in arms if key not in left_out}
    assert (first.dataset_name, first.content, first.seed) == (again.dataset_name, again.content, again.seed)
    assert (again.score, again.families[0].skip) == (name, first.families[0].n)


def code(name: str) -> Code:
    return load_code(ROOT / "benchmarks" / name / "score.py")


def grade(name: str, gold: Any, answer: Any, files: dict[str, Path], category: str) -> float:
    case = next(case for case in code(name).read_cases(files, category) if case.gold == gold)
    return code(name).judge(files, case, RunResult(run_id="r", status="completed", answer=answer)).grade


@pytest.fixture
def clinc(tmp_path: Path) -> dict[str, Path]:
    data = {
        "train": [["fly to ghent", "book_flight"], ["tip for ten", "calculate_tip"]],
        "test": [["flight please", "book_flight"]],
        "oos_train": [["what is love", "oos"]],
        "oos_test": [["who am i", "oos"]],
    }
    write(tmp_path, "data_full.json", json.dumps(data))
    return {"data_full.json": tmp_path / "data_full.json"}


def test_clinc_scores_labels_and_abstentions(clinc: dict[str, Path]) -> None:
    assert grade("clinc150", "book flight", {"label": "book flight"}, clinc, "test") == 1.0
    assert grade("clinc150", "book flight", {"label": None}, clinc, "test") == 0.0
    assert grade("clinc150", None, {"label": None}, clinc, "test") == 1.0
    cases = code("clinc150").read_cases(clinc, "test")
    assert cases[0].inputs["labels"] == ["book flight", "calculate tip"]


def test_clincs_figures_by_hand(clinc: dict[str, Path]) -> None:
    inside, outside = code("clinc150").read_cases(clinc, "test")
    right = code("clinc150").metrics([(inside, {"label": "book flight"}), (outside, {"label": None})])
    assert right == {"macro_f1": 1.0, "oos_recall": 1.0, "false_rejections": 0.0, "in_scope_accuracy": 1.0}
    wrong = code("clinc150").metrics([(inside, {"label": None}), (outside, {"label": None})])
    assert wrong == {
        "macro_f1": pytest.approx(1 / 3),
        "oos_recall": 1.0,
        "false_rejections": 1.0,
        "in_scope_accuracy": 0.0,
    }
    assert code("clinc150").metrics([(inside, None), (outside, None)])["oos_recall"] == 0.0


def test_clincs_materials_hold_training_rows_only(clinc: dict[str, Path], tmp_path: Path) -> None:
    code("clinc150").materials(clinc, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "examples.jsonl").read_text("utf-8").splitlines()]
    assert [row["text"] for row in rows] == ["fly to ghent", "tip for ten", "what is love"]
    assert rows[-1]["label"] is None


def test_xsid_reads_dutch_to_measure_and_english_to_learn(tmp_path: Path) -> None:
    dutch = CONLL.format(id=7, text="maak me wakker om zes", intent="alarm/set_alarm")
    english = CONLL.format(id=1, text="book a table", intent="BookRestaurant")
    write(tmp_path, "nl.valid.conll", dutch + "\n" + CONLL.format(id=8, text="boek", intent="BookRestaurant"))
    original = CONLL.format(id=2, text="Wake me at six", intent="alarm/set_alarm")
    write(tmp_path, "en.test.conll", f"{original}\n{english}")
    files = {name: tmp_path / name for name in ("nl.valid.conll", "en.test.conll")}
    first, second = code("xsid").read_cases(files, "nl")
    assert (first.id, first.inputs["text"], first.gold) == (
        "nl_7",
        "maak me wakker om zes",
        "alarm set alarm",
    )
    assert second.inputs["labels"] == ["alarm set alarm", "book restaurant"]
    code("xsid").materials(files, tmp_path)
    learned = json.loads((tmp_path / "examples.jsonl").read_text("utf-8"))
    assert learned == {"text": "book a table", "label": "book restaurant"}, "not the original of a Dutch one"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("1200", 1.0), ("1200.00", 1.0), (1200, 1.0), ("12", 0.0), ("1,200", 0.0), ("a lot", 0.0)],
)
def test_gsm8k_compares_numbers(tmp_path: Path, answer: Any, expected: float) -> None:
    rows = [
        {"question": f"How many? {n}", "answer": "6 * 200 = <<6*200=1200>>1200\n#### 1,200"}
        for n in range(12)
    ]
    write(tmp_path, "train.jsonl", "\n".join(json.dumps(row) for row in rows))
    files = {"train.jsonl": tmp_path / "train.jsonl"}
    assert grade("gsm8k", "1200", {"result": answer}, files, "test") == expected
    assert [case.id for case in code("gsm8k").read_cases(files, "test")] == ["test_0", "test_10"]
    assert [case.id for case in code("gsm8k").read_cases(files, "dev")] == ["dev_1", "dev_11"]
