"""NESTFUL: which tools a request needs, and which of them takes the results of which.

The plan behind each sequence of calls: a step a call, waiting for those whose results its arguments name.
Unlike UltraTool's these are no chains. Every arm sees the right tools among others of the same catalogue
that are most like them, eight in all. Measured are the calls over real services (`executable`) and over
Glaive's functions; the calls over the Schema-Guided Dialogue services, whose tools are others, are what
prompts are worked on with (odd rows) and what generators may learn from (even ones). Sequences that call a
tool twice, or whose labels come twice (12 of 300), are left out, because links between tool names cannot
tell the two apart. Grades are
those of ultratool-plans.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.bench.cases import Case, Scored
from orchestrator.bench.plans import plan_metrics, score_plan
from orchestrator.kit.shots import Shot, write_shots
from orchestrator.kit.toolschema import card_text
from orchestrator.kit.wordindex import WordIndex

_PARTS = {"test": ("executable", "glaive"), "dev": ("sgd",)}
_SHOWN = 8
_LABEL = re.compile(r"\$(\w+?)[.$]")


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    """`category` is `test` or `dev`; gold is the plan, as every arm writes it."""
    for part in _PARTS[category]:
        rows, tools = _read(files, part)
        for place, row in enumerate(rows):
            if (steps := plan_of(row["output"])) and (category == "test" or place % 2):
                name = f"{part}_{place}"
                chosen = around([step["tool"] for step in steps], tools, name)
                inputs = {"text": row["input"], "tools": chosen}
                yield Case(id=name, category=category, inputs=inputs, gold=steps)


def score(files: Mapping[str, Path], case: Case, answer: Any) -> Scored:
    return score_plan(case, answer)


def metrics(pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
    return plan_metrics(pairs)


def materials(files: Mapping[str, Path], folder: Path) -> None:
    rows, _ = _read(files, "sgd")
    found = [(row["input"], steps) for row in rows[::2] if (steps := plan_of(row["output"]))]
    write_shots(folder, (Shot(text, f"Request: {text}", {"steps": steps}) for text, steps in found))


def plan_of(calls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A step a call; the last entry only names the result. None of them where a tool is called twice."""
    calls = [call for call in calls if call["name"] != "var_result"]
    names = {call["label"]: call["name"] for call in calls}
    if len(set(names.values())) < len(calls):
        return []
    return [{"tool": call["name"], "after": _after(call, names)} for call in calls]


def around(names: Sequence[str], tools: Sequence[dict[str, Any]], case: str) -> list[dict[str, Any]]:
    """The tools of these names and those most like them, in an order that says nothing."""
    by_name = {tool["name"]: tool for tool in tools}
    index = WordIndex([card_text(tool) for tool in by_name.values()])
    scores = np.max([index.scores(card_text(by_name[name])) for name in names], axis=0)
    order = [list(by_name)[place] for place in np.argsort(-scores, kind="stable")]
    chosen = [*names, *(name for name in order if name not in names)][: max(_SHOWN, len(names))]
    chosen.sort(key=lambda name: hashlib.sha256(f"{case}/{name}".encode()).digest())
    return [by_name[name] for name in chosen]


def _after(call: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    labels = _LABEL.findall(json.dumps(call["arguments"]))
    return list(dict.fromkeys(names[label] for label in labels))


def _read(files: Mapping[str, Path], part: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    rows = json.loads(files[f"{part}-data.json"].read_text("utf-8"))
    tools = json.loads(files[f"{part}-spec.json"].read_text("utf-8"))
    return rows, [{"name": tool["name"], "description": tool["description"]} for tool in tools]
