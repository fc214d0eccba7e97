"""Which function does what a text asks, or none: the choice alone, without arguments.

Measured are the questions that users of the leaderboard sent, where one of several functions fits
(`live_multiple`), the only one does (`live_simple`), or none does (`live_irrelevance`): together, because a
way to choose must not know beforehand which it is. `live_simple` is there because more than half of those
that nothing fits offer one function, and none of `live_multiple` does: their number would give the answer
away. The few that offer no function leave nothing to choose, and are left out. The authors' own questions
(the same three without `live_`) are what prompts are worked on with (odd rows) and what arms may learn from
(even rows).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.bench import bfcl
from orchestrator.bench.cases import Case
from orchestrator.kit.shots import Shot, write_shots

_PARTS = {
    "test": ("live_multiple", "live_simple", "live_irrelevance"),
    "dev": ("multiple", "simple_python", "irrelevance"),
}


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    """`category` is `test` or `dev`; gold is the name of the function, or None."""
    for row in _rows(files, category, first=1 if category == "dev" else None):
        inputs = {"text": row.text, "tools": row.tools}
        yield Case(id=row.id, category=category, inputs=inputs, gold=_gold(row))


def score(files: Mapping[str, Path], case: Case, answer: Any) -> bool:
    return bool(answer["tool"] == case.gold)


def metrics(pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
    """Accuracy where a function fits; precision, recall and F1 of saying that none does.

    A run without an answer is wrong in both, and is no abstention.
    """
    said = [(case.gold, answer["tool"] if answer else "") for case, answer in pairs]
    fitting = [found == gold for gold, found in said if gold is not None]
    right = sum(gold is None and found is None for gold, found in said)
    wanted = sum(gold is None for gold, _ in said)
    made = sum(found is None for _, found in said)
    found = {"choice_accuracy": sum(fitting) / len(fitting)} if fitting else {}
    if wanted:
        found["abstention_precision"] = right / made if made else 0.0
        found["abstention_recall"] = right / wanted
        found["abstention_f1"] = 2 * right / (made + wanted)
    return found


def materials(files: Mapping[str, Path], folder: Path) -> None:
    """A question that the leaderboard asks twice is not learned from."""
    asked = {row.text for row in (*_rows(files, "test", None), *_rows(files, "dev", first=1))}
    learned = [row for row in _rows(files, "dev", first=0) if row.text not in asked]
    write_shots(folder, map(_shot, learned))


def _rows(files: Mapping[str, Path], category: str, first: int | None) -> Iterator[bfcl.BfclCase]:
    for part in _PARTS[category]:
        rows = [row for row in bfcl.read_cases(files, part) if row.functions]
        yield from rows if first is None else rows[first::2]


def _gold(row: bfcl.BfclCase) -> str | None:
    return next(iter(row.ground_truth[0])) if row.ground_truth else None


def _shot(row: bfcl.BfclCase) -> Shot:
    """Names only: the functions of an example are others than those at hand."""
    names = "\n".join(f"- {function['name']}" for function in row.functions)
    return Shot(row.text, f"Functions:\n{names}\n\nText: {row.text}", {"tool": _gold(row)})
