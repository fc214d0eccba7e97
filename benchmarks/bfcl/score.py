"""The leaderboard's cases for a benchmark, scored by the leaderboard's own checker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.bench import bfcl
from orchestrator.bench.cases import Case, Scored

# Making no call is the right answer where no function fits, and the leaderboard counts a breakdown as that.
NO_ANSWER_MAY_BE_RIGHT = True


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    for row in bfcl.measured_cases(files, category):
        yield bfcl.as_case(row, category)


def score(files: Mapping[str, Path], case: Case, answer: Any) -> Scored:
    return bfcl.score_answer(files, case, answer)
