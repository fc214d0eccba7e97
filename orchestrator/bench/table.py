"""A benchmark out of one's own CSV file: a column of messages, a column of right labels, nothing to program.

    table: {file: tickets.csv, text: message, label: team, train: older-tickets.csv}

`file` (and `train`, which arms may learn from) lie beside the `benchmark.yaml`; texts of `train` that are
among those to measure are left out. Every arm is given
`${case.text}` and `${case.labels}`; its answer is right when its `label` is the row's. An empty label means
that none fits, and is answered by null.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import model_validator

from orchestrator.bench.cases import Case, Code, Files, Scored, plain_lesson
from orchestrator.bench.data import DatasetCard
from orchestrator.errors import ContentError
from orchestrator.kit.examples import Example, without_neighbours, write_examples
from orchestrator.types import Json, ModelFile, Record, RunResult


class Table(Record):
    """Where the rows are, and what their columns are called."""

    file: str
    text: str = "text"
    label: str = "label"
    train: str | None = None

    @model_validator(mode="after")
    def _not_the_same(self) -> Self:
        if self.train == self.file:
            raise ValueError(
                "`train` must be another file than `file`: who has seen the answers proves nothing"
            )
        return self

    def files(self, folder: Path) -> dict[str, Path]:
        """The CSV files by name. Raises ContentError for one that is not there."""
        found = {name: folder / name for name in (self.file, self.train) if name}
        for file in found.values():
            if not file.is_file():
                raise ContentError("this file is not there", file=file, hint="It lies beside benchmark.yaml.")
        return found


class TableCode(Code):
    """Reads and scores the rows of a table."""

    def __init__(self, table: Table, file: Path) -> None:
        self.file = file
        self.made_by = Path(__file__)
        self._table = table

    def read_cases(self, files: Files, category: str) -> list[Case]:
        """One case a row; ids follow the line, so that rows added at the end leave the others as they are."""
        rows = list(_rows(files[self._table.file], self._table))
        learned = list(_rows(files[self._table.train], self._table)) if self._table.train else rows
        known = [*rows, *learned]
        _insist_on_labels(files[self._table.file], rows, learned)
        labels = sorted({row.label for row in known if row.label})
        return [
            Case(
                id=f"{category}_{row.line}",
                category=category,
                inputs={"text": row.text, "labels": labels},
                gold=row.label,
            )
            for row in rows
        ]

    def judge(self, files: Files, case: Case, result: RunResult) -> Scored:
        if result.status != "completed":
            return Scored(grade=0.0, kind="run_failed", error=result.error)
        answer = result.answer
        if not isinstance(answer, dict) or "label" not in answer:
            said = f"the answer of a labelling arm has a `label`, got {str(answer)[:100]!r}"
            return Scored(grade=0.0, kind="no_label", error=said)
        right = answer["label"] == case.gold
        return Scored(grade=float(right), kind=None if right else "other_label")

    def materials(self, files: Files, folder: Path) -> None:
        if self._table.train is None:
            return
        measured = {_words(row) for row in _rows(files[self._table.file], self._table)}
        rows = [row for row in _rows(files[self._table.train], self._table) if _words(row) not in measured]
        if not rows:
            raise ContentError("every text in it is one of those to measure", file=files[self._table.train])
        write_examples(folder, (Example(row.text, row.label) for row in rows))

    def kept(self, answer: Any) -> Any:
        return None if answer is None else without_neighbours(answer)

    def training(self, files: Files) -> list[Case] | None:
        return None

    def lesson(self, case: Case) -> Json:
        return plain_lesson(case)

    def metrics(self, pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
        return {}


def table_card(name: str, files: Files) -> DatasetCard:
    """A card for the user's own files, so that a record says by hash what was measured."""
    return DatasetCard(
        name=name,
        description="the user's own table",
        licence="not declared",
        origin="the user's own files",
        files=tuple(
            ModelFile(
                name=key,
                parts=(f"file:{path.resolve()}",),
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                size_bytes=max(path.stat().st_size, 1),
            )
            for key, path in files.items()
        ),
    )


def _insist_on_labels(file: Path, rows: Sequence[_Row], learned: Sequence[_Row]) -> None:
    """Raises ContentError for a label that no row has to learn from: misspelt, or unfair to who learns."""
    known = sorted({row.label for row in learned if row.label})
    for row in rows:
        if row.label and row.label not in known:
            close = difflib.get_close_matches(row.label, known, n=1)
            mend = f"Did you mean {close[0]!r}?" if close else "Add a row that has it."
            said = f"no row of `train` has the label {row.label!r}."
            raise ContentError(said, file=file, line=row.line, hint=mend)


def _words(row: _Row) -> str:
    return " ".join(row.text.lower().split())


class _Row(NamedTuple):
    line: int
    text: str
    label: str | None


def _rows(file: Path, table: Table) -> Iterator[_Row]:
    """Raises ContentError with the line for a row without a text, or a column that is not there."""
    reader = csv.DictReader(io.StringIO(_text(file), newline=""), strict=True)
    try:
        _check_columns(file, table, reader.fieldnames or [])
        found = [_row(file, table, reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ContentError(f"not CSV: {error}", file=file, line=reader.line_num + 1) from None
    if not found:
        raise ContentError("there is no row below the heading", file=file)
    return iter(found)


def _text(file: Path) -> str:
    data = file.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        hint = f"Convert it: iconv -f WINDOWS-1252 -t UTF-8 {file.name} > new.csv"
        raise ContentError("not UTF-8 text.", file=file, line=line, hint=hint) from None


def _check_columns(file: Path, table: Table, columns: Sequence[str]) -> None:
    for column in (table.text, table.label):
        if column not in columns:
            have = ", ".join(columns) or "none"
            hint = _separator(have) or "Name them in benchmark.yaml: table: {text: …, label: …}."
            raise ContentError(
                f"there is no column {column!r} (there are: {have})", file=file, line=1, hint=hint
            )
        if [*columns].count(column) > 1:
            raise ContentError(f"the column {column!r} comes twice", file=file, line=1)


def _separator(heading: str) -> str | None:
    """What to do where the columns are not separated by commas, as in files of a Dutch spreadsheet."""
    other = next((name for mark, name in ((";", "semicolons"), ("\t", "tabs")) if mark in heading), None)
    return f"Its columns are separated by {other}; save it with commas." if other else None


def _row(file: Path, table: Table, line: int, row: dict[str, Any]) -> _Row:
    text, label = row.get(table.text), row.get(table.label)
    if None in row or label is None:
        raise ContentError("this row has not as many fields as the heading", file=file, line=line)
    if not text or not text.strip():
        raise ContentError(f"this row has no {table.text!r}", file=file, line=line)
    return _Row(line, text, label.strip() or None)
