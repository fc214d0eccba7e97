"""Berkeley Function Calling Leaderboard: its cases, its tools as JSON schema, its own scoring.

Its single-turn Python categories: `simple_python` (one function, one call), `multiple` (choose one of
several), `irrelevance` (no function fits: the right answer is no call), and the same with `live_` in front,
written by users of the leaderboard. Scores come from the
leaderboard's checker, unchanged; only the decoding of an answer into a call is ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from orchestrator.bench.cases import Case, Scored
from orchestrator.bench.official import OfficialChecker, load_official_checker
from orchestrator.errors import InvalidInput, UnknownName
from orchestrator.kit.toolschema import parameters_of
from orchestrator.kit.words import word_set
from orchestrator.types import Json, Record

Category = Literal[
    "simple_python", "multiple", "irrelevance", "live_simple", "live_multiple", "live_irrelevance"
]

DEVELOPED_ON: Category = "simple_python"
_NO_CALL_IS_RIGHT = ("irrelevance", "live_irrelevance")
# Of 100 questions of `multiple`, three are at 0.83, 0.88 and 1; the next is at 0.62.
_MUCH_ALIKE = 0.8


class BfclCase(Record):
    """One question. `functions` and `ground_truth` are kept as the leaderboard writes them."""

    id: str
    category: Category
    text: str
    functions: tuple[Json, ...]
    ground_truth: tuple[Json, ...] = ()

    @property
    def tools(self) -> list[Json]:
        """The functions as tools for an agent: name, description, parameters (a JSON schema)."""
        return [
            {
                "name": function["name"],
                "description": function["description"],
                "parameters": parameters_of(function),
            }
            for function in self.functions
        ]


class Call(Record):
    """A predicted call."""

    name: str
    arguments: Json


class Score(Record):
    """The checker's word on one case. `kind` is its error class, without any text of the data set."""

    valid: bool
    error: str | None = None
    kind: str | None = None


def read_cases(files: Mapping[str, Path], category: str) -> list[BfclCase]:
    """All cases of a category in the order of the file. `files`: the data set's files by name.

    Raises UnknownName for a category that is not one of `Category`.
    """
    if category not in get_args(Category):
        raise UnknownName("BFCL category", category, get_args(Category))
    answers = {}
    if category not in _NO_CALL_IS_RIGHT:
        answers = {row["id"]: row["ground_truth"] for row in _rows(files[f"possible_answer/{category}.json"])}
    return [_case(row, category, answers.get(row["id"], ())) for row in _rows(files[f"{category}.json"])]


def measured_cases(files: Mapping[str, Path], category: str) -> list[BfclCase]:
    """The cases of a category that nothing was developed on.

    The prompt and the gate of call-tool were developed on `simple_python`, and half of `multiple` (100 of
    200) asks its very questions, with more functions to choose from, and three ask almost the same: all
    those are left out.
    """
    cases = read_cases(files, category)
    if category == DEVELOPED_ON:
        return cases
    known = [word_set(case.text) for case in read_cases(files, DEVELOPED_ON)]
    return [case for case in cases if not _much_like_one_of(known, word_set(case.text))]


def _much_like_one_of(known: Iterable[frozenset[str]], words: frozenset[str]) -> bool:
    """Most of all the words of the two are in both (Jaccard's index)."""
    return any(len(words & others) >= _MUCH_ALIKE * len(words | others) for others in known)


class Scorer:
    """Scores calls with the leaderboard's checker."""

    def __init__(self, checker: OfficialChecker) -> None:
        self._check = checker

    @classmethod
    def from_files(cls, files: Mapping[str, Path]) -> Scorer:
        return cls(load_official_checker(files))

    def score_call(self, case: BfclCase, predicted: Call | None) -> Score:
        """Score one answer; None means that no call was made."""
        if case.category in _NO_CALL_IS_RIGHT:
            return _score_irrelevance(predicted)
        calls = [] if predicted is None else [{predicted.name: predicted.arguments}]
        try:
            result = self._check(case.functions, calls, case.ground_truth, case.category)
        except (TypeError, KeyError, AttributeError, ValueError, IndexError) as error:
            # The checker is not total: an odd nesting makes it raise, which is certainly no right answer.
            return Score(valid=False, error=f"{type(error).__name__}: {error}", kind="checker_raised")
        if result["valid"]:
            return Score(valid=True)
        return Score(valid=False, error="; ".join(map(str, result["error"])), kind=result["error_type"])


def call_of(answer: Any) -> Call | None:
    """The call in the answer of an agent, or of a workflow that names it `call`; None where it abstained.

    Raises InvalidInput for an answer that is neither: a wrong wiring must not pass as an abstention.
    """
    if isinstance(answer, Mapping) and set(answer) == {"call"}:
        answer = answer["call"]
    if answer is None:
        return None
    if not isinstance(answer, Mapping) or "name" not in answer:
        raise InvalidInput(f"Expected {{name, arguments}} or null as the answer, got {str(answer)[:200]!r}.")
    name, arguments = answer["name"], answer.get("arguments")
    if name is None:
        return None
    return Call(name=str(name), arguments=arguments if isinstance(arguments, dict) else {})


def as_case(row: BfclCase, category: str) -> Case:
    """As the engine takes it; `category` is the benchmark's own word."""
    inputs = {"text": row.text, "tools": row.tools}
    return Case(id=row.id, category=category, inputs=inputs, gold=row.model_dump(mode="json"))


def score_answer(files: Mapping[str, Path], case: Case, answer: Any) -> Scored:
    """An answer as `call_of` reads it, through the leaderboard's checker."""
    return scored(_scorer(tuple(sorted(files.items()))), case, answer)


def scored(scorer: Scorer, case: Case, answer: Any) -> Scored:
    try:
        call = call_of(answer)
    except InvalidInput as problem:
        return Scored(grade=0.0, kind="no_call_format", error=str(problem))
    found = scorer.score_call(BfclCase.model_validate(case.gold), call)
    return Scored(grade=float(found.valid), kind=found.kind, error=found.error)


@cache
def _scorer(files: tuple[tuple[str, Path], ...]) -> Scorer:
    return Scorer.from_files(dict(files))


def _score_irrelevance(predicted: Call | None) -> Score:
    if predicted is None:
        return Score(valid=True)
    error = f"{predicted.name!r} was called where no function fits."
    return Score(valid=False, error=error, kind="irrelevance_error:decoder_success")


def _case(row: Json, category: str, ground_truth: Any) -> BfclCase:
    (turn,) = row["question"]
    return BfclCase.model_validate(
        {
            "id": row["id"],
            "category": category,
            "text": _text(turn),
            "functions": row["function"],
            "ground_truth": ground_truth,
        }
    )


def _text(turn: list[dict[str, str]]) -> str:
    """The user's message; where others stand beside it (some `live_` cases), all of them with who spoke."""
    if len(turn) == 1:
        return turn[0]["content"]
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in turn)


def _rows(file: Path) -> list[Json]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
