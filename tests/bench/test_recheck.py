"""The script that scores exported predictions without our code, against the wheel's own data."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from orchestrator.workspace import builtin_root

SCRIPT = builtin_root() / "benchmarks" / "bfcl" / "recheck.py"
CHECKER = """
def ast_checker(functions, calls, truth, language, category, model):
    return {"valid": calls == truth}
"""


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The wheel's layout, with a checker of one line."""
    package = "bfcl_eval"
    question = {"id": "multiple_0", "function": [{"name": "f"}]}
    files = {
        f"{package}/__init__.py": "",
        f"{package}/constants/__init__.py": "",
        f"{package}/constants/enums.py": "class Language:\n    PYTHON = 1\n",
        f"{package}/eval_checker/__init__.py": "",
        f"{package}/eval_checker/ast_eval/__init__.py": "",
        f"{package}/eval_checker/ast_eval/ast_checker.py": CHECKER,
        f"{package}/data/BFCL_v4_multiple.json": json.dumps(question) + "\n",
        f"{package}/data/possible_answer/BFCL_v4_multiple.json": json.dumps(
            {"id": "multiple_0", "ground_truth": [{"f": {"a": 1}}]}
        ),
    }
    path = tmp_path / "bfcl_eval-0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def recheck(wheel: Path, *rows: object) -> subprocess.CompletedProcess[str]:
    export = wheel.parent / "crew.jsonl"
    export.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, str(SCRIPT), str(wheel), str(export)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def row(output: object, grade: float, category: str = "multiple") -> dict[str, object]:
    return {"id": f"{category}_0", "category": category, "output": output, "grade": grade}


def test_grades_that_agree(wheel: Path) -> None:
    right, wrong = {"name": "f", "arguments": {"a": 1}}, {"call": {"name": "f", "arguments": {"a": 2}}}
    done = recheck(wheel, row(right, 1.0), row(wrong, 0.0), row(None, 0.0), row(None, 1.0, "irrelevance"))
    assert done.stdout == "4 predictions, 0 differences\n"
    assert done.returncode == 0


def test_a_grade_that_differs_is_named(wheel: Path) -> None:
    done = recheck(wheel, row({"name": "f", "arguments": {"a": 2}}, 1.0))
    assert "multiple_0: the checker says False, we said 1.0" in done.stdout
    assert done.returncode == 1
