"""A benchmark of one's own, made up for tests: twenty rows, two arms, no real model."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from orchestrator.bench.arms import Outcome
from orchestrator.bench.ledger import Ledger
from orchestrator.bench.running import Bench
from orchestrator.settings import Settings
from orchestrator.types import Json
from orchestrator.workspace import Workspace
from tests.core.world import add_agent, add_model, write

SCORE = """
import json
from orchestrator.bench.cases import Case

def read_cases(files, category):
    for number, row in enumerate(json.loads(files["rows.json"].read_text())):
        inputs = {"text": row["text"]}
        yield Case(id=f"{category}_{number}", category=category, inputs=inputs, gold=row["gold"])

def score(files, case, answer):
    return answer["text"] == case.gold

def metrics(pairs):
    return {"answered": sum(answer is not None for _, answer in pairs)}

def materials(files, folder):
    (folder / "examples.jsonl").write_text('{"text": "x", "label": "y"}')
"""
SPEC: Json = {
    "name": "words",
    "description": "Say the word.",
    "dataset": "words",
    "seed": 3,
    "families": [{"category": "test", "n": 8}],
    "arms": [
        {"name": "crew", "agent": "echo", "route": "fixed:small"},
        {"name": "reference", "agent": "echo", "route": "fixed:large", "kind": "reference"},
    ],
}
CASES = 20


def make_root(tmp_path: Path) -> Path:
    """`tmp_path` as a workspace with the benchmark, its data, an agent and two models."""
    rows = json.dumps([{"text": f"say {n}", "gold": "right" if n % 4 else "other"} for n in range(CASES)])
    sha256 = hashlib.sha256(rows.encode()).hexdigest()
    file = {"name": "rows.json", "parts": ["file:rows.json"], "sha256": sha256, "size_bytes": len(rows)}
    card = {"name": "words", "description": "", "licence": "none", "origin": "tests", "files": [file]}
    write(tmp_path, "data/rows.json", rows)
    write(tmp_path, "benchmarks/words/dataset.yaml", json.dumps(card))
    write(tmp_path, "benchmarks/words/benchmark.yaml", json.dumps(SPEC))
    write(tmp_path, "benchmarks/words/score.py", SCORE)
    machine = {"name": "default", "cpu_watts_per_core": 10, "idle_watts": 20, "source": "tests"}
    write(tmp_path, "configs/machines/default.yaml", json.dumps(machine))
    write(tmp_path, "configs/lilliput.yaml", "{}")
    add_agent(tmp_path, "echo")
    add_model(tmp_path, "small", 1, options={"reply": '{"text": "right"}'})
    add_model(tmp_path, "large", 9, role="reference", options={"reply": '{"text": "wrong"}'})
    return tmp_path


def open_bench(root: Path, n: int | None = None) -> Bench:
    settings = Settings(cache_dir=root / "cache", state_dir=root / "state", data_dir=root / "data")
    return Bench(Workspace((root,)), settings, "words", n)


async def run(root: Path, n: int | None = None) -> tuple[Bench, Ledger, list[Outcome]]:
    bench, heard = open_bench(root, n), []
    ledger = await bench.run(lambda done, total, outcome: heard.append(outcome))
    return bench, ledger, heard
