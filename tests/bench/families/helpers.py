"""What the tests of all families share: a score.py by name, a grade as the engine gives it, the real data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agent import Call, load_agent
from orchestrator.bench.cases import Case, Code, load_code
from orchestrator.bench.data import read_dataset_card
from orchestrator.bench.spec import read_benchmark
from orchestrator.tools import load_module
from orchestrator.types import Answer, RunResult
from orchestrator.workspace import Workspace, builtin_root

ROOT = builtin_root().resolve()


def code(name: str) -> Code:
    return load_code(ROOT / "benchmarks" / name / "score.py")


def grade(name: str, files: Mapping[str, Path], case: Case, answer: Any) -> float:
    """As the engine grades a run that came to an end."""
    return code(name).judge(files, case, RunResult(run_id="r", status="completed", answer=answer)).grade


def failed(name: str, files: Mapping[str, Path], case: Case) -> float:
    return code(name).judge(files, case, RunResult(run_id="r", status="failed")).grade


def module(path: str) -> Any:
    """Python of a content folder, such as `benchmarks/extraction/agents/tag-known-values/answer.py`."""
    return load_module(ROOT / path)


async def ask_content(
    content: tuple[str, ...], agent: str, inputs: dict[str, Any], session: Any = None, roots: Any = ()
) -> Answer:
    """Ask an agent of a benchmark's folder, its input checked and its output held to its schema."""
    workspace = Workspace((ROOT, *(ROOT / "benchmarks" / name for name in content)))
    one = load_agent(workspace.agents[agent])
    one.validate_input(inputs)
    answer = await one.answer(inputs, Call(one.spec, session, roots=(*workspace.roots, *roots)))
    schema = one.check(inputs, answer)[0]
    assert schema.passed, schema.reason
    return answer


def real_files(dataset: str) -> dict[str, Path]:
    """The data set's files of the data folder; the test is skipped where there is none."""
    folder = os.environ.get("LILLIPUT_DATA_DIR")
    card = read_dataset_card((ROOT,), dataset)
    parts = {file.name: file.parts[0].removeprefix("file:") for file in card.files}
    files = {name: Path(folder or ".") / part for name, part in parts.items()}
    if folder is None or not all(file.is_file() for file in files.values()):
        pytest.skip(f"LILLIPUT_DATA_DIR does not hold {dataset}")
    return files


def check_splits(name: str, files: Mapping[str, Path], sizes: Mapping[str, int]) -> dict[str, list[Case]]:
    """Read every split (`read_cases` refuses an id that comes twice); none shares an id with another."""
    splits = {category: code(name).read_cases(files, category) for category in sizes}
    assert {category: len(cases) for category, cases in splits.items()} == dict(sizes)
    ids = [case.id for cases in splits.values() for case in cases]
    assert len(ids) == len(set(ids))
    return splits


def asks(name: str, arm: str) -> dict[str, Any]:
    """What an arm of a benchmark asks of whom, without the route."""
    (found,) = (one for one in read_benchmark((ROOT,), name).arms if one.name == arm)
    return found.model_dump(include={"agent", "workflow", "inputs"})
