"""Seal-Tools: write the calls that a request needs, given their tools among similar ones.

The three figures are the data set's own (Wu et al. 2024; LLM_Evaluation in fairyshine/Seal-Tools): the
share of answers in the right format; precision, recall and F1 of tools; the same of parameters, where one
is right when its tool is, and its value equals the gold one as text. Two things differ, and are kinder: a
gold call is matched once, and 3 equals 3.0. A case's grade is the F1 of its tools and parameters together,
because a request needs three calls on average and one word too many in one of them is no failure of all.

Categories: `single`, `several` and `any`, both as they come, are measured (test split); `dev-single` and
`dev-several` are for working on prompts (odd rows of the development split). Generators learn from the even
rows and from the odd ones of several calls, and are chosen by the odd ones of one call; so what has learnt is
not to be tried on `dev-several`. Requests where a call takes another's result (4 %) are left out: they have a
notation of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.bench.cases import Case, Scored
from orchestrator.kit.shots import Shot, write_shots
from orchestrator.kit.toolschema import card_text, parameters_of
from orchestrator.kit.wordindex import WordIndex

_SPARE = 2
Counts = Counter[str]


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    dev, size = category.startswith("dev-"), category.removeprefix("dev-")
    if size not in ("single", "several", "any") or category == "dev-any":
        raise KeyError(category)
    rows = _rows(files["dev.jsonl"])[1::2] if dev else _rows(files["test_in_domain.jsonl"])
    for case in _cases(files, rows, category):
        if size == "any" or (len(case.gold) == 1) == (size == "single"):
            yield case


def training(files: Mapping[str, Path]) -> Iterator[Case]:
    """The even rows of the development split, and of the odd ones those of several calls."""
    rows = _rows(files["dev.jsonl"])
    wanted = [row for place, row in enumerate(rows) if place % 2 == 0 or len(row["calling"]) > 1]
    return _cases(files, wanted, "train")


def score(files: Mapping[str, Path], case: Case, answer: Any) -> Scored:
    found = count(case.gold, _given(answer))
    if not found["format"]:
        return Scored(grade=0.0, kind="no_calls")
    right = found["tools_right"] + found["parameters_right"]
    made = found["tools_made"] + found["parameters_made"]
    gold = found["tools_gold"] + found["parameters_gold"]
    grade = 2 * right / (made + gold)
    kind = (
        None
        if grade == 1
        else "other_tools"
        if found["tools_right"] < found["tools_gold"]
        else "other_values"
    )
    return Scored(grade=grade, kind=kind)


def metrics(pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
    total = sum((count(case.gold, _given(answer)) for case, answer in pairs), Counter())
    found = {"format_accuracy": total["format"] / len(pairs)}
    for what in ("tool", "parameter"):
        right, made, gold = (total[f"{what}s_{part}"] for part in ("right", "made", "gold"))
        found[f"{what}_precision"] = right / made if made else 0.0
        found[f"{what}_recall"] = right / gold if gold else 0.0
        found[f"{what}_f1"] = 2 * right / (made + gold) if made + gold else 0.0
    return found


def lesson(case: Case) -> dict[str, Any]:
    """Numbers as their tool declares them: a model that is held to the declaration cannot write "63"."""
    declared = {tool["name"]: parameters_of(tool)["properties"] for tool in case.inputs["tools"]}
    calls = [
        {"name": name, "arguments": {k: _typed(v, declared[name].get(k, {})) for k, v in given.items()}}
        for name, given in ((call["name"], call["arguments"]) for call in case.gold)
    ]
    return {"text": case.inputs["text"], "label": calls, "inputs": {"tools": case.inputs["tools"]}}


def materials(files: Mapping[str, Path], folder: Path) -> None:
    rows = _rows(files["dev.jsonl"])[::2]
    found = [(row["query"], calls) for row in rows if (calls := _calls(row))]
    write_shots(folder, (Shot(text, f"Text: {text}", {"calls": calls}) for text, calls in found))


def count(gold: Sequence[Mapping[str, Any]], made: Sequence[Mapping[str, Any]] | None) -> Counts:
    """How many tools and parameters are gold, were made, and are right; None made: no calls at all."""
    arguments = sum(len(call["arguments"]) for call in gold)
    found = Counter(tools_gold=len(gold), parameters_gold=arguments, format=made is not None)
    left = list(gold)
    for call in made or ():
        found["tools_made"] += 1
        found["parameters_made"] += len(call["arguments"])
        match = next((other for other in left if other["name"] == call["name"]), None)
        if match is None:
            continue
        left.remove(match)
        found["tools_right"] += 1
        found["parameters_right"] += sum(
            name in match["arguments"] and _same(value, match["arguments"][name])
            for name, value in call["arguments"].items()
        )
    return found


def _cases(files: Mapping[str, Path], rows: Sequence[Mapping[str, Any]], category: str) -> Iterator[Case]:
    catalogue = Catalogue(_rows(files["tool.jsonl"]))
    for row in rows:
        if calls := _calls(row):
            tools = catalogue.around([call["name"] for call in calls], row["id"])
            inputs = {"text": row["query"], "tools": tools}
            yield Case(id=row["id"], category=category, inputs=inputs, gold=calls)


class Catalogue:
    """All tools, and which are like which."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._tools = {row["api_name"]: _tool(row) for row in rows}
        self._names = list(self._tools)
        self._cards = {name: card_text(tool) for name, tool in self._tools.items()}
        self._words = WordIndex(list(self._cards.values()))

    def around(self, names: Sequence[str], case: str) -> list[dict[str, Any]]:
        """These tools and as few others, the likest by BM25, in an order that says nothing."""
        chosen = dict.fromkeys(names)
        wanted = len(chosen) + _SPARE
        for name in names[:_SPARE] if len(names) > 1 else names * _SPARE:
            scores = self._words.scores(self._cards[name])
            order = np.argsort(-scores, kind="stable")
            chosen |= dict.fromkeys([next(n for p in order if (n := self._names[p]) not in chosen)])
        assert len(chosen) == wanted
        shuffled = sorted(chosen, key=lambda name: hashlib.sha256(f"{case}/{name}".encode()).digest())
        return [self._tools[name] for name in shuffled]


def _tool(row: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": row["parameters"], "required": row["required"] or []}
    return {"name": row["api_name"], "description": row["api_description"], "parameters": parameters}


def _calls(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The calls of a row; none where one takes another's result."""
    calls = [{"name": call["api"], "arguments": call["parameters"]} for call in row["calling"]]
    nested = any("API_call_" in str(value) for call in calls for value in call["arguments"].values())
    return [] if nested else calls


def _given(answer: Any) -> list[dict[str, Any]] | None:
    calls = answer.get("calls") if isinstance(answer, dict) else None
    if not isinstance(calls, list) or not calls:
        return None
    fine = all(isinstance(call, dict) and isinstance(call.get("arguments"), dict) for call in calls)
    return calls if fine else None


def _typed(value: Any, declared: Mapping[str, Any]) -> Any:
    kinds = {"integer": int, "number": float}
    try:
        return kinds[declared["type"]](value) if isinstance(value, str) else value
    except (KeyError, TypeError, ValueError):
        return value


def _same(value: Any, gold: Any) -> bool:
    if str(value) == str(gold):
        return True
    try:
        return float(value) == float(gold)
    except (TypeError, ValueError):
        return False


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
