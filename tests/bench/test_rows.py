"""A benchmark's rows as a file to learn from: what is to judge by is nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.bench.cases import Code, load_code
from orchestrator.bench.rows import rows_of
from orchestrator.errors import InvalidInput

SCORE = """
from orchestrator.bench.cases import Case
from orchestrator.kit.examples import Example, write_examples

def read_cases(files, category):
    yield Case(id=f"{category}_1", category=category, inputs={"text": f"to Ghent, {category}"}, gold=GOLD)

def score(files, case, answer):
    return True
"""
TRAINING = """
def training(files):
    for number in range(2):
        yield Case(id=f"train_{number}", category="train", inputs={"text": f"{number} chairs"}, gold=GOLD)
"""
LESSON = """
def lesson(case):
    return {"text": case.inputs["text"], "label": {"is": case.gold}, "inputs": {"unit": "piece"}}
"""
LEARN = """
def materials(files, folder):
    write_examples(folder, [Example("from Bruges", LABEL), Example("hello", None)])
"""


def code(folder: Path, *parts: str) -> Code:
    file = folder / "score.py"
    file.write_text("".join([SCORE, *parts]), "utf-8")
    return load_code(file)


def test_labels(tmp_path: Path) -> None:
    made = code(tmp_path, LEARN, "\nGOLD, LABEL = 'trip', 'home'\n")
    assert rows_of(made, {}, "dev", ["test"]) == [
        {"text": "from Bruges", "label": "home", "split": "train"},
        {"text": "hello", "label": None, "split": "train"},
        {"text": "to Ghent, dev", "label": "trip", "split": "dev"},
        {"text": "to Ghent, test", "label": "trip", "split": "test"},
    ]


def test_parts_of_a_text(tmp_path: Path) -> None:
    label = '{"spans": [{"city": "Bruges"}]}'
    made = code(tmp_path, LEARN, f"\nGOLD, LABEL = [['city', 3, 8]], '{label}'\n")
    train, nothing, dev, _ = rows_of(made, {}, "dev", ["test"])
    assert train["label"] == [{"kind": "city", "start": 5, "end": 11, "text": "Bruges"}]
    assert nothing["label"] == []
    assert dev["label"] == [{"kind": "city", "start": 3, "end": 8, "text": "Ghent"}]


def test_what_a_specialist_is_trained_with_may_be_more_than_arms_learn_from(tmp_path: Path) -> None:
    made = code(tmp_path, LEARN, TRAINING, "\nGOLD, LABEL = 'order', 'home'\n")
    assert [(row["text"], row["label"], row["split"]) for row in rows_of(made, {}, "dev", ["test"])] == [
        ("0 chairs", "order", "train"),
        ("1 chairs", "order", "train"),
        ("to Ghent, dev", "order", "dev"),
        ("to Ghent, test", "order", "test"),
    ]


def test_a_benchmark_says_how_a_case_is_shown_to_a_specialist(tmp_path: Path) -> None:
    made = code(tmp_path, TRAINING, LESSON, "\nGOLD = 'order'\n")
    first = rows_of(made, {}, "dev", ["test"])[0]
    assert first == {
        "text": "0 chairs",
        "label": {"is": "order"},
        "inputs": {"unit": "piece"},
        "split": "train",
    }


def test_a_benchmark_without_examples(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no examples of texts with labels"):
        rows_of(code(tmp_path, "\nGOLD = None\n"), {}, "dev", ["test"])
