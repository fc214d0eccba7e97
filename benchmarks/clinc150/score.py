"""CLINC150's test split; its training rows, with those out of scope, are what arms may learn from.

A specialist that is chosen by all validation rows (`val`) learns from the training rows alone; one that is
chosen by a fifth of them (`val-fifth`) learns from the others too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.bench.cases import Case
from orchestrator.kit.examples import Example, without_neighbours, write_examples

_OUT_OF_SCOPE, _FIFTH = "oos", 5


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    """`category` is `test`, `train`, `val` or `val-fifth`; in-scope and out-of-scope questions together."""
    data = _data(files)
    labels = sorted({label.replace("_", " ") for _, label in data["train"]})
    split, _, part = category.partition("-")
    for name in (split, f"oos_{split}"):
        for number, (text, label) in enumerate(data[name]):
            if not part or not number % _FIFTH:
                inputs = {"text": text, "labels": labels}
                yield Case(id=f"{name}_{number}", category=category, inputs=inputs, gold=_name(label))


def training(files: Mapping[str, Path]) -> Iterator[Case]:
    """Of the validation rows those are left out by which a specialist is chosen."""
    yield from read_cases(files, "train")
    yield from read_cases(files, "val")


def score(files: Mapping[str, Path], case: Case, answer: Any) -> bool:
    return bool(answer["label"] == case.gold)


def keep(answer: Any) -> Any:
    return without_neighbours(answer)


def metrics(pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
    """Macro-F1 over the labels that occur; recall out of scope; false rejections and accuracy within it."""
    said = [(case.gold, answer["label"] if answer else "") for case, answer in pairs]
    outside = [found is None for gold, found in said if gold is None]
    inside = [found is None for gold, found in said if gold is not None]
    found = {"macro_f1": _macro_f1(said)}
    if outside:
        found["oos_recall"] = sum(outside) / len(outside)
    if inside:
        found["false_rejections"] = sum(inside) / len(inside)
        found["in_scope_accuracy"] = sum(gold == got for gold, got in said if gold is not None) / len(inside)
    return found


def materials(files: Mapping[str, Path], folder: Path) -> None:
    data = _data(files)
    rows = [*data["train"], *data["oos_train"]]
    write_examples(folder, (Example(text, _name(label)) for text, label in rows))


def _macro_f1(said: Sequence[tuple[str | None, str | None]]) -> float:
    gold, found = Counter(pair[0] for pair in said), Counter(pair[1] for pair in said)
    right = Counter(pair[0] for pair in said if pair[0] == pair[1])
    return sum(2 * right[label] / (gold[label] + found[label]) for label in gold) / len(gold)


def _name(label: str) -> str | None:
    return None if label == _OUT_OF_SCOPE else label.replace("_", " ")


def _data(files: Mapping[str, Path]) -> dict[str, list[list[str]]]:
    data: dict[str, list[list[str]]] = json.loads(files["data_full.json"].read_text("utf-8"))
    return data
