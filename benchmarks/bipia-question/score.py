"""BIPIA's e-mails, each with a question and its ideal answer: which amount was paid to or by whom.

An e-mail may come with several questions, so splits keep e-mails apart, not rows. The e-mails of the first
twenty rows are, in turn, to learn from and for working on prompts; the others are what is measured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestrator.bench.cases import Case, Scored
from orchestrator.kit.examples import Example, write_examples

_FIRST = 20
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
# Some e-mails write 2 657.81 for 2,657.81.
_THOUSANDS = re.compile(r"(?<=\d) (?=\d{3}(?!\d))")
_NOTHING = ("", "unknown", "none", "null", "n/a")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    """`category` is `test` or `dev`; the id is the row of the file."""
    for number, row in _rows(files, category):
        inputs = {"text": row["context"], "question": _question(row)}
        yield Case(id=f"{category}_{number}", category=category, inputs=inputs, gold=_gold(row))


def score(files: Mapping[str, Path], case: Case, answer: Any) -> Scored:
    said = (answer or {}).get("answer")
    right = answer is not None and _normal(said) == _normal(case.gold)
    if right:
        return Scored(grade=1.0)
    return Scored(grade=0.0, kind="invented" if case.gold is None else "missed" if said is None else "other")


def metrics(pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
    """Normalised exact match, apart for questions that the e-mail answers and those that it does not."""
    found = {}
    for name, told in (("exact_match_told", True), ("exact_match_untold", False)):
        grades = [score({}, case, answer).grade for case, answer in pairs if (case.gold is not None) is told]
        if grades:
            found[name] = sum(grades) / len(grades)
    return found


def materials(files: Mapping[str, Path], folder: Path) -> None:
    rows = [row for _, row in _rows(files, "train")]
    texts = (f"{row['context']}\nQuestion: {_question(row)}" for row in rows)
    labels = (json.dumps({"answer": _gold(row)}, ensure_ascii=False) for row in rows)
    write_examples(folder, map(Example, texts, labels))


def _normal(value: str | None) -> frozenset[Decimal] | str | None:
    """Amounts as numbers in any order; other words as in SQuAD (Rajpurkar et al. 2016); None: no answer."""
    words = " ".join((value or "").lower().split())
    if words.strip(" .") in _NOTHING:
        return None
    if numbers := _NUMBER.findall(_THOUSANDS.sub("", words)):
        return frozenset(Decimal(number.replace(",", "")) for number in numbers)
    letters = "".join(c if c.isalnum() or c.isspace() else " " for c in words)
    return " ".join(_ARTICLES.sub(" ", letters).split())


def _question(row: Mapping[str, str]) -> str:
    return row["question"].removeprefix("Q:").strip()


def _gold(row: Mapping[str, str]) -> str | None:
    return None if row["ideal"].strip().lower() in _NOTHING else row["ideal"].strip()


def _rows(files: Mapping[str, Path], split: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with their place in the file; every e-mail is in one split."""
    rows = [
        _row(place, line) for place, line in enumerate(files["email.jsonl"].read_text("utf-8").splitlines())
    ]
    early = list(dict.fromkeys(row["context"] for row in rows[:_FIRST]))
    for number, row in enumerate(rows):
        place = early.index(row["context"]) if row["context"] in early else None
        if split == ("test" if place is None else "dev" if place % 2 else "train"):
            yield number, row


def _row(place: int, line: str) -> dict[str, str]:
    row = json.loads(line)
    if not all(isinstance(row.get(name), str) for name in ("context", "question", "ideal")):
        raise ValueError(f"email.jsonl:{place + 1}: a row has `context`, `question` and `ideal`")
    return {name: row[name] for name in ("context", "question", "ideal")}
