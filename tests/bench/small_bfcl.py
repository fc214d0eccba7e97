"""A workspace with a data set of the leaderboard's shape, four cases and a checker of ten lines."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from orchestrator.workspace import builtin_root
from tests.bench.helpers import FUNCTION
from tests.core.world import TEXT_IN, add_agent, add_model, add_workflow, write

CHECKER = """
import re
from bfcl_eval.constants.enums import Language
from bfcl_eval.constants.model_config import MODEL_CONFIG_MAPPING

def ast_checker(functions, calls, expected, language, category, model):
    assert language == Language.PYTHON and not MODEL_CONFIG_MAPPING[model].underscore_to_dot
    if len(calls) != 1:
        return {"valid": False, "error": ["Wrong number of functions."], "error_type": "wrong_count"}
    (name, accepted), = expected[0].items()
    right = all(value in accepted[key] for key, value in calls[0].get(name, {"place": None}).items())
    return {"valid": right, "error": [] if right else ["no"], "error_type": "value_error:string"}
"""
ENUMS = "from enum import Enum\nclass Language(Enum):\n    PYTHON = 'python'\n"
TOOLS_IN = {**TEXT_IN, "properties": {"text": {"type": "string"}, "tools": {"type": "array"}}}
CALL_OUT = {
    "type": "object",
    "properties": {"name": {"type": ["string", "null"]}, "arguments": {"type": "object"}},
    "required": ["name", "arguments"],
}
DEMO = {
    "name": "bfcl-demo",
    "description": "A small one.",
    "dataset": "bfcl",
    "score": "bfcl",
    "seed": 1,
    "models": ["small", "large"],
    "families": [{"category": "multiple", "n": 2}, {"category": "irrelevance", "n": 1}],
    "arms": [
        {"name": "crew", "workflow": "tool-use", "route": "smallest-capable"},
        {"name": "reference", "agent": "use-tool", "route": "fixed:large"},
    ],
}


def question(category: str, number: int) -> dict[str, Any]:
    text = f"Weather in Ghent, question {number}?"
    return {
        "id": f"{category}_{number}",
        "question": [[{"role": "user", "content": text}]],
        "function": [FUNCTION],
    }


def add_small_bfcl(root: Path) -> None:
    """The data folder, and a card that names what is in it."""
    questions = {
        name: [question(name, number) for number in range(3)] for name in ("multiple", "irrelevance")
    }
    questions["simple_python"] = [question("simple_python", 9)]
    # Asks what was developed on, and so is never measured.
    questions["multiple"].append(question("multiple", 9))
    truths = {
        name: [{"id": row["id"], "ground_truth": [{"weather.at": {"place": ["Ghent"]}}]} for row in rows]
        for name, rows in questions.items()
    }
    files = {
        "multiple.json": lines(questions["multiple"]),
        "irrelevance.json": lines(questions["irrelevance"]),
        "simple_python.json": lines(questions["simple_python"]),
        "possible_answer/multiple.json": lines(truths["multiple"]),
        "possible_answer/simple_python.json": lines(truths["simple_python"]),
        "checker/ast_checker.py": CHECKER,
        "checker/enums.py": ENUMS,
    }
    for name, text in files.items():
        write(root, f"data/{name}", text)
    card = {
        "name": "bfcl",
        "description": "Four cases.",
        "licence": "none",
        "origin": "tests",
        "notes": "Made up.",
        "files": [described(name, text) for name, text in files.items()],
    }
    write(root, "benchmarks/bfcl/dataset.yaml", json.dumps(card))
    write(root, "benchmarks/bfcl/score.py", (builtin_root() / "benchmarks/bfcl/score.py").read_text("utf-8"))
    write(root, "benchmarks/bfcl-demo/benchmark.yaml", json.dumps(DEMO))


def add_crew(root: Path) -> None:
    """`small` knows the weather in Ghent; `large` always says that no tool fits."""
    right = json.dumps({"name": "weather.at", "arguments": {"place": "Ghent"}})
    add_model(root, "small", 100, options={"reply": right})
    add_model(root, "large", 1000, options={"reply": '{"name": null, "arguments": {}}'})
    add_model(root, "tiny", 1, options={"reply": '{"name": "wrong", "arguments": {}}'})
    add_agent(root, "use-tool", input=TOOLS_IN, output=CALL_OUT)
    step = {"call": {"agent": "use-tool", "with": {"text": "${task.text}", "tools": "${task.tools}"}}}
    add_workflow(root, "tool-use", step, "${call}", input=TOOLS_IN)


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def described(name: str, text: str) -> dict[str, Any]:
    data = text.encode()
    sha256 = hashlib.sha256(data).hexdigest()
    return {"name": name, "parts": [f"file:{name}"], "sha256": sha256, "size_bytes": len(data)}
