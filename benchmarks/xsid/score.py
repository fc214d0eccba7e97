"""xSID: which intent a Dutch sentence has, with English sentences to learn from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.bench.cases import Case
from orchestrator.kit.examples import Example, without_neighbours, write_examples

_FIELD = re.compile(r"^# (id|text-en|text|intent)\s*[=:]\s*(.*)$")
_JOINT = re.compile(r"(?<=[a-z])(?=[A-Z])|[/_]")


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    """`category` is the language of the sentences: `nl`."""
    rows = list(_rows(files[f"{category}.valid.conll"]))
    labels = sorted(
        {_name(row["intent"]) for row in _rows(files["en.test.conll"])}
        | {_name(row["intent"]) for row in rows}
    )
    for row in rows:
        inputs = {"text": row["text"], "labels": labels}
        yield Case(id=f"{category}_{row['id']}", category=category, inputs=inputs, gold=_name(row["intent"]))


def score(files: Mapping[str, Path], case: Case, answer: Any) -> bool:
    return bool(answer["label"] == case.gold)


def keep(answer: Any) -> Any:
    return without_neighbours(answer)


def materials(files: Mapping[str, Path], folder: Path) -> None:
    write_examples(folder, (Example(text, label) for text, label in learned(files)))


def learned(files: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Some sentences are in both splits: what is the original of a Dutch one is not learned from."""
    measured = originals(files)
    for row in _rows(files["en.test.conll"]):
        if row["text"].lower() not in measured:
            yield row["text"], _name(row["intent"])


def originals(files: Mapping[str, Path]) -> frozenset[str]:
    """The English sentences, in small letters, whose translations are measured."""
    return frozenset(row["text-en"].lower() for row in _rows(files["nl.valid.conll"]))


def _name(intent: str) -> str:
    """`alarm/set_alarm` and `BookRestaurant` in plain words."""
    return " ".join(_JOINT.sub(" ", intent).lower().split())


def _rows(file: Path) -> Iterator[dict[str, str]]:
    for block in file.read_text("utf-8").split("\n\n"):
        row = {match[1]: match[2].strip() for line in block.splitlines() if (match := _FIELD.match(line))}
        if row:
            yield row
