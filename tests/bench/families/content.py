"""What the tests of families share: score.py and agents from the content folders, without a model."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.agent import Agent, Call, load_agent, messages_of
from orchestrator.bench.cases import Case
from orchestrator.bench.data import read_dataset_card
from orchestrator.runtimes.base import Session
from orchestrator.settings import load_settings
from orchestrator.types import Answer, RunResult
from orchestrator.workspace import Workspace
from tests.bench.families.helpers import ROOT, code

Files = dict[str, Path]


def write_files(folder: Path, texts: Mapping[str, str]) -> Files:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return {name: folder / name for name in texts}


def lines(rows: Iterable[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def judge(name: str, case: Case, answer: Any, files: Files | None = None) -> float:
    """The grade of an answer, or of a run that failed for None."""
    status: Any = "completed" if answer is not None else "failed"
    result = RunResult(run_id="r", status=status, answer=answer)
    return code(name).judge(files or {}, case, result).grade


@functools.cache
def overlay(*names: str) -> Workspace:
    """The built-in workspace with the agents and workflows of benchmarks laid over it."""
    return Workspace((ROOT, *(ROOT / "benchmarks" / name for name in names)))


def agent_of(benchmark: str, name: str) -> Agent:
    return load_agent(overlay(benchmark).agents[name])


async def ask_own(
    benchmark: str, name: str, inputs: dict[str, Any], session: Session | None = None, *roots: Path
) -> Answer:
    """Ask an agent of a benchmark's folder; its input and its output must fit its schemas."""
    one = agent_of(benchmark, name)
    one.validate_input(inputs)
    answer = await one.answer(inputs, Call(one.spec, session, roots=(ROOT, *roots)))
    assert one.check(inputs, answer)[0].passed, answer.output
    return answer


def prompt_of(benchmark: str, name: str, inputs: dict[str, Any]) -> str:
    return "\n".join(message.content for message in messages_of(agent_of(benchmark, name).spec, inputs))


def real_files(name: str) -> Files | None:
    """The data set's files where they lie in the data folder or the cache; None when one is missing."""
    settings = load_settings().settings
    card = read_dataset_card((ROOT,), name)
    cached = settings.cache_dir / "datasets" / f"{card.name}-{card.data_hash[:16]}"
    found: Files = {}
    for file in card.files:
        place = cached / file.name
        part = file.parts[0]
        if part.startswith("file:") and settings.data_dir:
            place = settings.data_dir / part.removeprefix("file:")
        if not place.is_file():
            return None
        found[file.name] = place
    return found
