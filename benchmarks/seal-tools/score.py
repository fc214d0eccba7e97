"""Seal-Tools: find the tool that a request needs among all 4,076.

Measured are the requests of the test split that need one tool. The development split's odd rows are for
working on prompts, its even rows (of one call) are what generators get examples from. The one weight of
find-tools was chosen on the whole development split, so its figures there are flattered; those on the test
split are not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.bench.cases import Case
from orchestrator.kit.shots import Shot, write_shots

_FILES = {"test": "test_in_domain.jsonl", "dev": "dev.jsonl"}


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    """`category` is `test` or `dev`; gold is the name of the tool."""
    for row in single(files, category, first=1 if category == "dev" else None):
        gold = row["calling"][0]["api"]
        yield Case(id=row["id"], category=category, inputs={"text": row["query"]}, gold=gold)


def score(files: Mapping[str, Path], case: Case, answer: Any) -> bool:
    """Right when the first of the ranked names is the tool."""
    return bool(answer["names"][:1] == [case.gold])


def metrics(pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
    """Recall at 1 and 5, and the mean reciprocal rank among the names that were given."""
    ranks = [_rank(case.gold, answer["names"] if answer else []) for case, answer in pairs]
    return {
        "recall_at_1": sum(rank == 1 for rank in ranks) / len(ranks),
        "recall_at_5": sum(0 < rank <= 5 for rank in ranks) / len(ranks),
        "mrr": sum(1 / rank for rank in ranks if rank) / len(ranks),
    }


def materials(files: Mapping[str, Path], folder: Path) -> None:
    """All tools, and worked examples; a tool of a request that is measured is no secret, the request is."""
    tools = [tool_of(row) for row in rows_of(files["tool.jsonl"])]
    text = "".join(json.dumps(tool, ensure_ascii=False) + "\n" for tool in tools)
    (folder / "tools.jsonl").write_text(text, "utf-8")
    write_shots(folder, map(_shot, single(files, "dev", first=0)))


def single(files: Mapping[str, Path], category: str, first: int | None) -> list[dict[str, Any]]:
    """Rows of one call; `first` takes every other one from there on."""
    rows = [row for row in rows_of(files[_FILES[category]]) if len(row["calling"]) == 1]
    return rows if first is None else rows[first::2]


def rows_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]


def tool_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A tool as agents take it."""
    parameters = {"type": "object", "properties": row["parameters"], "required": row["required"] or []}
    return {"name": row["api_name"], "description": row["api_description"], "parameters": parameters}


def _rank(gold: str, names: Sequence[str]) -> int:
    """From 1; 0 where it is not among them."""
    return names.index(gold) + 1 if gold in names else 0


def _shot(row: Mapping[str, Any]) -> Shot:
    return Shot(row["query"], f"Text: {row['query']}", {"tool": row["calling"][0]["api"]})
