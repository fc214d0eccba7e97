"""The leaderboard's calls, by a model that learnt to write calls from other tools and other requests.

All arms answer as `use-tools`, which may write several calls; the categories here ask for one, so two are
wrong. Whether the one is right is said by the leaderboard's own checker. What `bfcl-calls` leaves out is left
out here too, and the cases that it has measured come first in the order that is drawn: `skip` them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.bench import bfcl
from orchestrator.bench.cases import Case, Scored


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    for row in bfcl.measured_cases(files, category):
        yield bfcl.as_case(row, category)


def score(files: Mapping[str, Path], case: Case, answer: Any) -> Scored:
    calls = answer.get("calls") if isinstance(answer, dict) else None
    if isinstance(calls, list) and len(calls) > 1:
        return Scored(grade=0.0, kind="several_calls")
    return bfcl.score_answer(files, case, calls[0] if calls else None)
