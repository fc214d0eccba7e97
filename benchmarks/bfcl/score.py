"""The leaderboard's cases for a benchmark, scored by the leaderboard's own checker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.bench import bfcl
from orchestrator.bench.cases import Case, Scored
from orchestrator.errors import InvalidInput

# Making no call is the right answer where no function fits, and the leaderboard counts a breakdown as that.
NO_ANSWER_MAY_BE_RIGHT = True


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    for case in bfcl.measured_cases(files, category):
        inputs = {"text": case.text, "tools": case.tools}
        yield Case(id=case.id, category=category, inputs=inputs, gold=case.model_dump(mode="json"))


def score(files: Mapping[str, Path], case: Case, answer: Any) -> Scored:
    try:
        call = bfcl.call_of(answer)
    except InvalidInput as problem:
        return Scored(grade=0.0, kind="no_call_format", error=str(problem))
    found = _scorer(tuple(sorted(files.items()))).score_call(bfcl.BfclCase.model_validate(case.gold), call)
    return Scored(grade=float(found.valid), kind=found.kind, error=found.error)


@cache
def _scorer(files: tuple[tuple[str, Path], ...]) -> bfcl.Scorer:
    return bfcl.Scorer.from_files(dict(files))
