"""Cases, outcomes and a controller made up for tests; no data set and no model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from orchestrator.bench.arms import Outcome
from orchestrator.bench.bfcl import BfclCase, Scorer, scored
from orchestrator.bench.cases import Case, Code, Scored
from orchestrator.types import Json, RunResult, Status, Task, Usage

FUNCTION: Json = {
    "name": "weather.at",
    "description": "Weather at a place.",
    "parameters": {
        "type": "dict",
        "properties": {"place": {"type": "string"}, "days": {"type": "float"}},
        "required": ["place"],
    },
}


def make_case(number: int, category: Any = "multiple") -> Case:
    case = make_bfcl_case(number, category)
    return Case(
        id=case.id, category=category, inputs={"text": case.text, "tools": case.tools}, gold=case.model_dump()
    )


def make_bfcl_case(number: int, category: Any = "multiple") -> BfclCase:
    truth = () if category == "irrelevance" else ({"weather.at": {"place": ["Ghent"], "days": ["", 1.0]}},)
    return BfclCase(
        id=f"{category}_{number}",
        category=category,
        text=f"question {number}",
        functions=(FUNCTION,),
        ground_truth=truth,
    )


def compare_places(
    functions: Sequence[Json], calls: Sequence[Json], expected: Sequence[Json], category: str
) -> Json:
    """Stands in for the official checker: right when the one call names the right place."""
    if len(calls) == 1 and calls[0].get("weather.at", {}).get("place") == "Ghent":
        return {"valid": True, "error": []}
    return {"valid": False, "error": ["not Ghent"], "error_type": "value_error:string"}


SCORER = Scorer(compare_places)


def _score(files: Mapping[str, Path], case: Case, answer: Any) -> Scored:
    return scored(SCORER, case, answer)


def make_code(score: Callable[..., Any] = _score, **more: Any) -> Code:
    """What `load_code` makes of a score.py with these functions."""
    module = ModuleType("score")
    vars(module).update(
        {"score": score, "read_cases": lambda files, category: [], "NO_ANSWER_MAY_BE_RIGHT": True, **more}
    )
    return Code(module, Path("score.py"))


CODE = make_code()
RIGHT: Json = {"name": "weather.at", "arguments": {"place": "Ghent"}}
WRONG: Json = {"name": "weather.at", "arguments": {"place": "Aalst"}}


def make_result(
    answer: Any, *, status: Status = "completed", model: str = "small", **usage: Any
) -> RunResult:
    used = Usage(calls=1, prompt_tokens=100, completion_tokens=10, **usage)
    error = None if status == "completed" else "it broke"
    return RunResult(
        run_id="run",
        status=status,
        answer=answer,
        error=error,
        usage=used,
        usage_by_model={model: used},
        idle_energy_j=2.0,
    )


class FakeRunner:
    """A controller that answers by a function of the task and remembers what it was asked."""

    def __init__(self, answer: Callable[[Task], RunResult]) -> None:
        self._answer = answer
        self.tasks: list[Task] = []

    async def run_to_end(self, task: Task) -> RunResult:
        self.tasks.append(task)
        return self._answer(task)


def ticking(*readings_s: float) -> Callable[[], float]:
    """A clock that gives these readings, one after the other."""
    readings: Iterator[float] = iter(readings_s)
    return lambda: next(readings)


def make_outcome(case: int, arm: str, solved: bool, **changes: Any) -> Outcome:
    values: Json = {
        "case_id": f"multiple_{case}",
        "category": "multiple",
        "arm": arm,
        "run_id": "run",
        "status": "completed",
        "grade": float(solved),
        "latency_s": 1.0,
        "load_s": 0.0,
    }
    return Outcome(**{**values, **changes})
