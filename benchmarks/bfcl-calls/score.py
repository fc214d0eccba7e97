"""The leaderboard's calls, scored by its own checker, with worked examples to learn from.

`simple_python` is not measured here: the prompt and the confidence gate of call-tool were developed on it.
So its rows are what generators may learn from (even ones) and what prompts are worked on with (odd ones).
Cases of other categories that ask its very questions are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.bench import bfcl
from orchestrator.bench.cases import Case, Scored
from orchestrator.errors import InvalidInput, UnknownName
from orchestrator.kit.shots import Shot, write_shots

_MEASURED = ("live_simple", "live_multiple", "multiple")


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    """`category` is one of the leaderboard's that are measured, or `dev`."""
    if category not in (*_MEASURED, "dev"):
        raise UnknownName("category of bfcl-calls", category, (*_MEASURED, "dev"))
    for row in _developed(files)[1::2] if category == "dev" else bfcl.measured_cases(files, category):
        yield bfcl.as_case(row, category)


def score(files: Mapping[str, Path], case: Case, answer: Any) -> Scored:
    return bfcl.score_answer(files, case, answer)


def metrics(pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
    """The share of cases in which the right function was called, whatever its arguments."""
    right = 0
    for case, answer in pairs:
        gold = bfcl.BfclCase.model_validate(case.gold)
        try:
            call = bfcl.call_of(answer)
        except InvalidInput:
            continue
        right += call is not None and call.name in gold.ground_truth[0]
    return {"function_accuracy": right / len(pairs)}


def materials(files: Mapping[str, Path], folder: Path) -> None:
    write_shots(folder, map(_shot, _developed(files)[::2]))


def _developed(files: Mapping[str, Path]) -> list[bfcl.BfclCase]:
    return bfcl.read_cases(files, bfcl.DEVELOPED_ON)


def _shot(row: bfcl.BfclCase) -> Shot:
    ((name, accepted),) = row.ground_truth[0].items()
    required = row.tools[0]["parameters"]["required"]
    return Shot(row.text, f"Text: {row.text}", {"name": name, "arguments": _chosen(accepted, required)})


def _chosen(accepted: Mapping[str, Sequence[Any]], required: Sequence[str]) -> dict[str, Any]:
    """One right call of those that the leaderboard accepts: an argument that may be left out ("") is."""
    kept = {name: values for name, values in accepted.items() if name in required or "" not in values}
    return {name: _value(next(value for value in values if value != "")) for name, values in kept.items()}


def _value(value: Any) -> Any:
    """Inside objects each value is again a list of those that are accepted."""
    if isinstance(value, Mapping):
        return _chosen(value, ())
    return [_value(item) for item in value] if isinstance(value, list) else value
