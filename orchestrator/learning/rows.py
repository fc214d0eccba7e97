"""The texts and answers that a project points at, read where they lie: in the records or in a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from orchestrator.errors import ContentError, UserError
from orchestrator.learning.examples import Split, lines_of, problem_with_choice, text_of
from orchestrator.learning.project import Collected, FileSource, LogSource, Project, need_collected
from orchestrator.learning.scrub import Raw
from orchestrator.records import Records, utc_now
from orchestrator.store.files import sha256_of
from orchestrator.types import AgentSpec, Json, Learns

FILE, GOLD = "file", "gold"
_SPLITS: Mapping[str, Split] = {
    **{"train": "train", "training": "train", "test": "test"},
    **dict.fromkeys(("dev", "development", "val", "valid", "validation"), "dev"),
}


class FileRow(NamedTuple):
    """One row of a file. `split`: where the file says it. `inputs`: what else the agent is given."""

    line: int
    text: str
    answer: Any
    split: Split | None
    inputs: Json = {}


def collect_file(name: str, spec: AgentSpec, learns: Learns, source: FileSource) -> Project:
    """A project over every row of a file; what there is to choose from are the answers in it.

    Raises ContentError with the line of a row that does not fit.
    """
    rows = list(read_rows(source))
    if not rows:
        raise ContentError("there is no row in it", file=source.path)
    insist_on_kind(learns, source, rows)
    lines = _lines_of_labels(learns, rows)
    _insist_on_one_spelling(source, lines)
    _insist_on_given(learns, source, lines)
    places = [f"{source.path.name}:{row.line}" for row in rows]
    choices = {learns.choices: _choices(learns, [row.answer for row in rows])} if learns.choices else {}
    fixed = {name: {**choices, **source.given}.get(name) for name in learns.fixed}
    collected = Collected(places=tuple(places), collected_at=utc_now())
    return Project(name=name, agent=spec.name, fixed=fixed, source=source, collected=collected)


def insist_on_kind(learns: Learns, source: FileSource, rows: Sequence[FileRow]) -> None:
    """Raises ContentError for an answer that the agent could not have given."""
    for row in rows:
        if problem := _problem(learns, row):
            said = f"{problem}: {str(row.answer)[:60]!r}"
            raise ContentError(said, file=source.path, line=row.line, hint="See docs/learning.md.")


def _lines_of_labels(learns: Learns, rows: Sequence[FileRow]) -> dict[str, list[int]]:
    """The classes that a model would learn, each with the lines where it stands."""
    found: dict[str, list[int]] = {}
    for row in rows:
        answers = [part["kind"] for part in row.answer] if learns.kind == "spans" else [row.answer]
        for label in dict.fromkeys(answers) if learns.kind in ("label", "spans") else ():
            if label:
                found.setdefault(label, []).append(row.line)
    return found


def _insist_on_one_spelling(source: FileSource, lines: Mapping[str, Sequence[int]]) -> None:
    """Raises ContentError for two labels that differ by case or spacing alone."""
    known: dict[str, str] = {}
    for label in lines:
        other = known.setdefault(" ".join(str(label).split()).lower(), label)
        if other != label:
            rare, usual = sorted((label, other), key=lambda each: len(lines[each]))
            said = " and ".join(f"{each!r} ({_told(lines[each])})" for each in (usual, rare))
            raise ContentError(
                f"{said} differ by case or spacing alone, and would be learnt as two labels",
                file=source.path,
                line=lines[rare][0],
                hint=f"Write them alike in every row, such as {usual!r}.",
            )


def _insist_on_given(learns: Learns, source: FileSource, lines: Mapping[str, Sequence[int]]) -> None:
    """Raises ContentError where the labels that were said to be all are not all of the file's."""
    choices = learns.choices or ""
    given = source.given.get(choices)
    missing = [label for label in lines if label not in given] if isinstance(given, list) else []
    others = {name: value for name, value in source.given.items() if name in learns.fixed and name != choices}
    for name, value in others.items():
        if value in missing:
            raise ContentError(
                f"{value!r} is {name}, and no label that a row can have ({_told(lines[value])})",
                file=source.path,
                line=lines[value][0],
                hint="Leave the label of such a row empty.",
            )
    if missing:
        shown = "; ".join(f"{label!r} ({_told(lines[label])})" for label in missing[:10])
        more = f"; and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise ContentError(
            f"-i {choices}=… leaves out {len(missing)} of {len(lines)} that this file holds: {shown}{more}",
            file=source.path,
            line=lines[missing[0]][0],
            hint=f"Add them, or leave -i {choices} out: then all of the file are taken. "
            "Rows that are not to be learnt from must not be in the file.",
        )


def _told(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:3]))
    more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
    return f"{'line' if len(lines) == 1 else 'lines'} {shown}{more}"


def _problem(learns: Learns, row: FileRow) -> str | None:
    answer = row.answer
    if learns.kind in ("label", "choice") and not (answer is None or isinstance(answer, str)):
        return f"a {learns.kind} is text, or nothing where none fits"
    if learns.kind == "choice":
        return problem_with_choice(answer, row.inputs.get(learns.choices or ""))
    if learns.kind != "spans":
        return None
    parts: list[Any] = answer if isinstance(answer, list) else [None]
    if not all(isinstance(part, dict) and {"kind", "start", "end"} <= part.keys() for part in parts):
        return 'parts of a text are a list of {"kind", "start", "end"}'
    if not all(isinstance(part[end], int) for part in parts for end in ("start", "end")):
        return "`start` and `end` are numbers"
    if not all(0 <= part["start"] < part["end"] <= len(row.text) for part in parts):
        return "a part lies outside its text"
    return None


def _choices(learns: Learns, answers: Sequence[Any]) -> list[str]:
    if learns.kind == "spans":
        return sorted({part["kind"] for answer in answers for part in answer or ()})
    return sorted({answer for answer in answers if answer})


def raws_of(project: Project, learns: Learns, records: Records) -> Iterator[Raw]:
    """In the order of collecting. Raises UserError where the file has changed since."""
    collected = need_collected(project)
    if isinstance(project.source, LogSource):
        yield from _logged(project, project.source, frozenset(collected.places), learns, records)
        return
    source = project.source
    if not source.path.is_file() or sha256_of(source.path) != source.sha256:
        raise UserError(
            f"{source.path} is not what it was when it was collected.",
            hint=f"Collect it again: lilliput learn collect {project.name} --file {source.path}",
        )
    yield from file_raws(source, read_rows(source))


def file_raws(source: FileSource, rows: Iterable[FileRow], by: str = FILE) -> Iterator[Raw]:
    for row in rows:
        place = f"{source.path.name}:{row.line}"
        yield Raw(row.text, row.answer, by, place, given_split=row.split, inputs=row.inputs)


def insist_on_labels(learns: Learns, fixed: Json, source: FileSource, rows: Sequence[FileRow]) -> None:
    """Raises ContentError for a label to judge by that is none of the project's."""
    labels = fixed.get(learns.choices or "") if learns.kind == "label" else None
    for row in rows:
        if labels and row.answer is not None and row.answer not in labels:
            said = f"{row.answer!r} is none of the labels that were learnt: {', '.join(labels)}"
            raise ContentError(said, file=source.path, line=row.line, hint="Mend it, or leave the row out.")


def _logged(
    project: Project, source: LogSource, places: frozenset[str], learns: Learns, records: Records
) -> Iterator[Raw]:
    steps = records.steps_of(project.agent, since=source.since, until=source.until, workflow=source.workflow)
    for step in steps:
        place = f"{step.run_id}/{step.index}"
        if place in places and isinstance(step.output, dict):
            text = str(step.inputs[learns.text])
            answer, by = step.output.get(learns.answer), step.model or "code"
            others = _others(learns, step.inputs) if learns.kind in ("json", "choice") else {}
            yield Raw(text, answer, by, place, step.started_at, inputs=others)


def _others(learns: Learns, inputs: Json) -> Json:
    """What an answer depends on besides its text and what defines the task."""
    known = {learns.text, *learns.fixed}
    return {name: value for name, value in inputs.items() if name not in known}


def read_rows(source: FileSource) -> Iterator[FileRow]:
    """Of a CSV file or of JSON lines. An empty label means that none fits."""
    if source.path.suffix.lower() == ".csv":
        yield from _csv_rows(source)
    elif source.path.suffix.lower() == ".jsonl":
        yield from _json_rows(source)
    else:
        raise UserError(
            f"{source.path.name} is neither .csv nor .jsonl.", hint="Save it as one of these two."
        )


def _csv_rows(source: FileSource) -> Iterator[FileRow]:
    text = text_of(source.path)
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=_delimiter(source, text))
    try:
        _insist_on(source, tuple(reader.fieldnames or ()), 1)
        for row in reader:
            _insist_on_cells(source, row, reader.line_num)
            label = row[source.label].strip() if source.label else ""
            yield _row(source, row, reader.line_num, label or None)
    except csv.Error as error:
        hint = "Save it as CSV with quotation marks around texts, and one row a line."
        raise ContentError(
            f"not CSV: {error}", file=source.path, line=reader.line_num + 1, hint=hint
        ) from None


def _insist_on_cells(source: FileSource, row: Mapping[Any, Any], line: int) -> None:
    if None in row or None in row.values():
        raise ContentError(
            f"this row has {'more' if None in row else 'fewer'} cells than the header",
            file=source.path,
            line=line,
            hint="Put a text that holds the mark between cells into quotation marks.",
        )


def _delimiter(source: FileSource, text: str) -> str:
    """A semicolon or a tab where the header is split by one: many spreadsheets write them."""
    header = next(iter(text.splitlines()), "")
    found = (mark for mark in ",;\t" if source.text in next(csv.reader([header], delimiter=mark), []))
    return next(found, ",")


def _json_rows(source: FileSource) -> Iterator[FileRow]:
    for number, line in enumerate(lines_of(source.path), start=1):
        row = _read_json(source, line, number)
        _insist_on(source, tuple(row) if isinstance(row, dict) else (), number)
        answer = row[source.label] if source.label else None
        yield _row(source, row, number, (answer.strip() or None) if isinstance(answer, str) else answer)


def _read_json(source: FileSource, line: str, number: int) -> Any:
    try:
        row = json.loads(line)
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        said = "it holds half of a character (a lone surrogate)"
    except (ValueError, RecursionError) as error:
        said = f"not JSON: {error}"
    else:
        return row
    raise ContentError(said, file=source.path, line=number, hint="Mend this line, or leave it out.")


def _row(source: FileSource, row: Json, line: int, answer: Any) -> FileRow:
    inputs = row.get("inputs") or {}  # JSON lines alone can hold them
    if not isinstance(inputs, dict):
        raise ContentError("`inputs` is no object", file=source.path, line=line)
    return FileRow(line, _text(source, row, line), answer, _split(source, row, line), inputs)


def _split(source: FileSource, row: Json, line: int) -> Split | None:
    if source.split is None:
        return None
    if str(row[source.split]) not in _SPLITS:
        raise ContentError(
            f"{row[source.split]!r} is no split",
            file=source.path,
            line=line,
            hint=f"Write {', '.join(_SPLITS)}.",
        )
    return _SPLITS[str(row[source.split])]


def _insist_on(source: FileSource, columns: tuple[str, ...], line: int) -> None:
    for wanted in filter(None, (source.text, source.label, source.split)):
        if wanted not in columns:
            have = ", ".join(columns) or "none"
            raise ContentError(
                f"there is no column {wanted!r} (there are: {have})",
                file=source.path,
                line=line,
                hint="Name them: --text COLUMN --label COLUMN",
            )


def _text(source: FileSource, row: Json, line: int) -> str:
    text = row[source.text]
    if not isinstance(text, str) or not text.strip():
        raise ContentError(f"this row has no {source.text!r}", file=source.path, line=line)
    return text
