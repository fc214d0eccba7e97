"""UltraTool: which tools a request needs, and in which order.

Every arm sees the right tools among those most like them, eight in all: choosing among 260 is retrieval,
and is measured elsewhere. (Others that share most words with the request would be chosen against the
floor.) Measured are the ids of the published test split; of the other requests every tenth is for working
on prompts, and the rest is what generators may learn from. Plans that use a tool twice (1 %) are left out,
because links between tool names cannot tell the two apart.

A case's grade is the mean of its node F1 and its link F1: half for the right tools, half for their order.
Exact plans would be all or nothing where several of the 260 tools do the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.bench.cases import Case, Scored
from orchestrator.bench.plans import plan_metrics, score_plan
from orchestrator.kit.plangraph import chain
from orchestrator.kit.shots import Shot, write_shots
from orchestrator.kit.toolschema import card_text
from orchestrator.kit.wordindex import WordIndex
from orchestrator.kit.words import split_name, word_set

_SHOWN = 8


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    """`category` is `test` or `dev`; gold is the plan, as every arm writes it."""
    if category not in ("test", "dev"):
        raise KeyError(category)
    return _cases(files, category)


def score(files: Mapping[str, Path], case: Case, answer: Any) -> Scored:
    return score_plan(case, answer)


def metrics(pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
    return plan_metrics(pairs)


def training(files: Mapping[str, Path]) -> Iterator[Case]:
    return _cases(files, "learn")


def lesson(case: Case) -> dict[str, Any]:
    return {"text": case.inputs["text"], "label": case.gold, "inputs": {"tools": case.inputs["tools"]}}


def materials(files: Mapping[str, Path], folder: Path) -> None:
    write_shots(folder, map(_shot, _split(files)["learn"]))


def _cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    catalogue = Catalogue(files)
    for row in _split(files)[category]:
        names = _names(row)
        text = row["user_request"].strip()
        inputs = {"text": text, "tools": catalogue.around(names, row["id"])}
        yield Case(id=f"ultratool_{row['id']}", category=category, inputs=inputs, gold=chain(names))


class Catalogue:
    """All tools, and which are like which."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        nodes = json.loads(files["tool_desc.json"].read_text("utf-8"))["nodes"]
        self._tools = {node["id"]: {"name": node["id"], "description": node["desc"]} for node in nodes}
        self._names = list(self._tools)
        self._cards = {name: card_text(tool) for name, tool in self._tools.items()}
        self._words = WordIndex(list(self._cards.values()))

    def around(self, names: Sequence[str], case: str) -> list[dict[str, Any]]:
        """These tools, and in turn the likest of each; a tool of the same words under another order is no
        other. Shuffled, so that the order says nothing."""
        chosen = list(names)
        taken = {word_set(split_name(name)) for name in names}
        ranked = [iter(self._likest(name)) for name in names]
        while len(chosen) < _SHOWN:
            for likest in ranked:
                other = next(name for name in likest if word_set(split_name(name)) not in taken)
                chosen.append(other)
                taken.add(word_set(split_name(other)))
        chosen = chosen[: max(_SHOWN, len(names))]
        chosen.sort(key=lambda name: hashlib.sha256(f"{case}/{name}".encode()).digest())
        return [self._tools[name] for name in chosen]

    def _likest(self, name: str) -> list[str]:
        order = np.argsort(-self._words.scores(self._cards[name]), kind="stable")
        return [self._names[place] for place in order]


def _split(files: Mapping[str, Path]) -> dict[str, list[dict[str, Any]]]:
    published = json.loads(files["split_ids.json"].read_text("utf-8"))["test_ids"]
    test = {name for ids in published.values() for name in ids}
    parts: dict[str, list[dict[str, Any]]] = {"test": [], "dev": [], "learn": []}
    for line in files["data.json"].read_text("utf-8").splitlines():
        row = json.loads(line)
        if len(set(_names(row))) == len(_names(row)):
            other = "dev" if int(row["id"]) % 10 == 0 else "learn"
            parts["test" if row["id"] in test else other].append(row)
    return parts


def _names(row: Mapping[str, Any]) -> list[str]:
    return [node["task"] for node in row["task_nodes"]]


def _shot(row: Mapping[str, Any]) -> Shot:
    text = row["user_request"].strip()
    return Shot(text, f"Request: {text}", {"steps": chain(_names(row))})
