"""Cases, and how an answer to one is scored: the code that lies beside a benchmark.

`benchmarks/<name>/score.py` is two to four plain functions over the data set's files (name -> path):

    def read_cases(files, category): yields Case
    def score(files, case, answer): True or False, a grade between 0 and 1, or Scored
    def metrics(pairs): {"macro_f1": ...}  over [(case, answer or None)], for figures that no single case has
    def materials(files, folder): writes what arms may learn from, such as examples.jsonl, into folder
    def keep(answer): what of an answer records may hold, where it quotes rows that are not its case's
    def training(files): yields cases to train a specialist with, where there are more than in the materials
    def lesson(case): {"text", "label", "inputs"}, how such a case is shown to a specialist; see `rows.py`

The folder of materials is laid over the workspace, so that inputs can name what is in it; it must never hold
anything of a test split.

A benchmark may use another one's by name (`score: bfcl`). Without any, cases come from a CSV file with
columns `text` and `label`, and the right answer is the label: see `table.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import Field, ValidationError

from orchestrator.errors import ContentError, LilliputError
from orchestrator.kit.spans import part_of
from orchestrator.tools import line_in, load_module
from orchestrator.types import Json, Record, RunResult

Files = Mapping[str, Path]


class Case(Record):
    """One thing to do. `inputs` is what every arm is given, `gold` what the scorer compares with."""

    id: str
    category: str
    inputs: Json
    gold: Any = None


class Scored(Record):
    """A grade between 0 and 1. `kind` is the class of a mistake, without any text of the data set."""

    grade: float = Field(ge=0.0, le=1.0)
    kind: str | None = None
    error: str | None = None


class Code:
    """The functions of a `score.py`, checked once. `file` is named in messages, `made_by` decides scores."""

    def __init__(self, module: ModuleType, file: Path) -> None:
        self.file = self.made_by = file
        self._read: Callable[[Files, str], Iterable[Case]] = _function(module, "read_cases", file)
        self._score: Callable[[Files, Case, Any], Any] = _function(module, "score", file)
        self._metrics: Callable[[Sequence[tuple[Case, Any]]], Mapping[str, float]] | None = getattr(
            module, "metrics", None
        )
        self._materials: Callable[[Files, Path], None] | None = getattr(module, "materials", None)
        self._training: Callable[[Files], Iterable[Case]] | None = getattr(module, "training", None)
        self._lesson: Callable[[Case], Json] = getattr(module, "lesson", plain_lesson)
        self._keep: Callable[[Any], Any] = getattr(module, "keep", lambda answer: answer)
        self._none_may_be_right = bool(getattr(module, "NO_ANSWER_MAY_BE_RIGHT", False))

    def read_cases(self, files: Files, category: str) -> list[Case]:
        """All cases of a category, in the order of the file. Raises ContentError when an id comes twice."""
        with self._blamed():
            found = [Case.model_validate(case) for case in self._read(files, category)]
        seen: set[str] = set()
        for case in found:
            if case.id in seen:
                raise ContentError(f"case id {case.id!r} comes twice in {category!r}", file=self.file)
            seen.add(case.id)
        return found

    def training(self, files: Files) -> list[Case] | None:
        """What a specialist may learn from; None: what is in the materials."""
        with self._blamed():
            return [Case.model_validate(case) for case in self._training(files)] if self._training else None

    def lesson(self, case: Case) -> Json:
        with self._blamed(f" for case {case.id!r}"):
            return dict(self._lesson(case))

    def judge(self, files: Files, case: Case, result: RunResult) -> Scored:
        """A run that ended without an answer scores 0, unless the benchmark says that none may be right."""
        if result.status != "completed":
            grade = self._scored(files, case, None).grade if self._none_may_be_right else 0.0
            return Scored(grade=grade, kind=None if grade else "run_failed", error=result.error)
        return self._scored(files, case, result.answer)

    def kept(self, answer: Any) -> Any:
        """What of an answer goes into ledgers and records."""
        with self._blamed():
            return None if answer is None else self._keep(answer)

    def materials(self, files: Files, folder: Path) -> None:
        """Write what arms may learn from, if the benchmark has any."""
        if self._materials:
            with self._blamed():
                self._materials(files, folder)

    def metrics(self, pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
        """Figures over all cases at once; none when the benchmark declares none."""
        with self._blamed():
            found = dict(self._metrics(pairs)) if self._metrics else {}
            return {name: float(value) for name, value in found.items()}

    def _scored(self, files: Files, case: Case, answer: Any) -> Scored:
        with self._blamed(f" for case {case.id!r}"):
            value = self._score(files, case, answer)
            return value if isinstance(value, Scored) else Scored(grade=float(value))

    @contextmanager
    def _blamed(self, about: str = "") -> Iterator[None]:
        """What goes wrong in a user's own function names his file and line. Raises ContentError."""
        try:
            yield
        except LilliputError:
            raise
        except ValidationError as error:
            first = error.errors()[0]
            said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}, got {first['input']!r}{about}"
            raise self._fault(error, said) from error
        except Exception as error:
            raise self._fault(error, f"{type(error).__name__}: {error}{about}") from error

    def _fault(self, error: Exception, said: str) -> ContentError:
        return ContentError(said, file=self.file, line=line_in(self.file, error), hint="See docs/bench.md.")


def plain_lesson(case: Case) -> Json:
    """Parts of a text are written as `[kind, start, end]` in cases; anything else is the label as it is."""
    text, gold = case.inputs["text"], case.gold
    if isinstance(gold, list):
        return {"text": text, "label": [part_of(text, *part) for part in gold]}
    return {"text": text, "label": gold}


def load_code(file: Path) -> Code:
    """The code in a `score.py`. Raises ContentError with file and line."""
    return Code(load_module(file), file)


def _function(module: ModuleType, name: str, file: Path) -> Any:
    function = getattr(module, name, None)
    if not callable(function):
        raise ContentError(
            f"`{name}` is missing", file=file, hint=f"Define `def {name}(…)`; see docs/bench.md."
        )
    return function
