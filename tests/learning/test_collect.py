"""What may be learnt from: opened agents only, answers that held, one task at a time; places and no texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ContentError, UserError
from orchestrator.learning.collect import collect
from orchestrator.learning.project import (
    FileSource,
    LogSource,
    Project,
    insist_on_name,
    open_project,
    save_project,
)
from orchestrator.learning.retention import Allowed
from orchestrator.learning.rows import collect_file, insist_on_labels, raws_of, read_rows
from orchestrator.records import Records
from orchestrator.store.files import sha256_of
from orchestrator.types import AgentSpec, Check, Decision, Learns, Step, StepDone, Task

LEARNS = Learns(kind="label", answer="label", choices="labels", fixed=("labels",))
SPEC = AgentSpec(name="label", description="Sorts.", needs=frozenset({"generate"}), input={}, learns=LEARNS)
OPEN = {"label": Allowed(days=30)}
NOW = "2026-11-22T06:45:12.000+00:00"
ABC = ["a", "b", "c"]


class Log:
    """Records with a clock that a test sets."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.records = Records(folder / "runs.sqlite", clock=lambda: self.now)

    def answered(self, text: str, label: str | None = "a", *, agent: str = "label", **fields: Any) -> str:
        given = {"text": text, "labels": fields.pop("labels", ABC)}
        run_id = self.records.start(Task(agent=agent, input=given, **fields.pop("task", {}))).run_id
        step = Step(
            run_id=run_id, index=0, subtask="answer", agent=agent, model="large", inputs=given,
            started_at=self.now, finished_at=self.now,
            **{"status": "completed", "output": {"label": label}, **fields},
        )  # fmt: skip
        self.records.append(StepDone(run_id=run_id, step=step), 1)
        return f"{run_id}/0"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    made = Log(tmp_path)
    monkeypatch.setattr("orchestrator.learning.retention.utc_now", lambda: made.now)
    return made


def places(project: Project) -> tuple[str, ...]:
    assert project.collected is not None
    return project.collected.places


def test_an_agent_must_be_opened_first(log: Log) -> None:
    log.answered("my screen is black")
    with pytest.raises(UserError, match="may not be learnt from") as refused:
        collect("tickets", SPEC, LogSource(), log.records, {})
    assert refused.value.hint == "To allow it, type: lilliput learn allow label --days 90"


def test_work_that_is_too_old_is_not_used(log: Log) -> None:
    log.now = "2026-09-01T00:00:00.000+00:00"
    log.answered("an old one")
    log.now = NOW
    new = log.answered("a new one")
    assert places(collect("tickets", SPEC, LogSource(), log.records, OPEN)) == (new,)


def test_doubtful_failed_and_empty_answers_are_left_out(log: Log) -> None:
    good = log.answered("a good one")
    log.answered("a failed one", status="failed")
    doubt = Decision(action="accept", reason="unsure", checks=(Check(name="confidence", passed=False),))
    log.answered("a doubtful one", decision=doubt)
    log.answered("   ")
    log.answered("another task", labels=["x", "y"])
    project = collect("tickets", SPEC, LogSource(), log.records, OPEN)
    assert places(project) == (good,)
    assert project.collected is not None
    assert project.collected.left_out == {
        "its checks did not hold": 1,
        "it was taken in doubt": 1,
        "its text is empty": 1,
        "other labels": 1,
    }
    assert project.fixed == {"labels": ABC}


def test_the_most_usual_task_is_taken(log: Log) -> None:
    log.answered("first", labels=["x", "y"])
    wanted = [log.answered("second"), log.answered("third")]
    assert list(places(collect("tickets", SPEC, LogSource(), log.records, OPEN))) == wanted


def test_time_and_workflow_narrow_it_down(log: Log) -> None:
    log.answered("an early one")
    log.now = "2026-11-22T08:00:00.000+00:00"
    late = log.answered("a late one")
    assert places(collect("t", SPEC, LogSource(since="2026-11-22T07"), log.records, OPEN)) == (late,)
    with pytest.raises(UserError, match="no answers"):
        collect("t", SPEC, LogSource(workflow="service-desk"), log.records, OPEN)


def test_an_agent_that_cannot_be_learnt_is_refused(log: Log) -> None:
    log.answered("x", agent="other")
    spec = SPEC.model_copy(update={"name": "other", "learns": None})
    with pytest.raises(UserError, match="does not say what a specialist"):
        collect("t", spec, LogSource(), log.records, {"other": Allowed(days=1)})


def test_a_project_holds_no_text(log: Log, tmp_path: Path) -> None:
    log.answered("Sietske lives at 12 Canal Street")
    project = collect("tickets", SPEC, LogSource(), log.records, OPEN)
    save_project(tmp_path, project)
    assert "Sietske" not in (tmp_path / "learning" / "tickets" / "project.json").read_text("utf-8")
    (raw,) = raws_of(open_project(tmp_path, "tickets"), LEARNS, log.records)
    assert (raw.text, raw.answer, raw.by) == ("Sietske lives at 12 Canal Street", "a", "large")


def source(path: Path, text: str, name: str = "tickets.csv") -> FileSource:
    file = path / name
    file.write_text(text, "utf-8")
    return FileSource(path=file, sha256=sha256_of(file), text="message", label="team")


def test_a_file_gives_its_rows_and_its_labels(log: Log, tmp_path: Path) -> None:
    given = source(tmp_path, 'message,team\n"hello, you",b\nbye,\nagain,a\n')
    project = collect_file("t", SPEC, LEARNS, given)
    assert project.fixed == {"labels": ["a", "b"]}
    found = list(raws_of(project, LEARNS, log.records))
    assert [(raw.text, raw.answer, raw.by, raw.origin) for raw in found] == [
        ("hello, you", "b", "file", "tickets.csv:2"),
        ("bye", None, "file", "tickets.csv:3"),
        ("again", "a", "file", "tickets.csv:4"),
    ]


def test_json_lines_may_hold_parts_of_a_text(tmp_path: Path) -> None:
    line = '{"message": "to Ghent", "team": [{"kind": "city", "start": 3, "end": 8, "text": "Ghent"}]}\n'
    given = source(tmp_path, line, "spans.jsonl")
    spans = Learns(kind="spans", answer="spans", choices="kinds", fixed=("kinds",))
    assert collect_file("t", SPEC, spans, given).fixed == {"kinds": ["city"]}
    assert [row.answer[0]["kind"] for row in read_rows(given)] == ["city"]


def test_a_file_that_was_changed_since_is_not_read(log: Log, tmp_path: Path) -> None:
    given = source(tmp_path, "message,team\nhello,a\n")
    project = collect_file("t", SPEC, LEARNS, given)
    given.path.write_text("message,team\nbye,a\n", "utf-8")
    with pytest.raises(UserError, match="not what it was") as refused:
        list(raws_of(project, LEARNS, log.records))
    assert "lilliput learn collect t --file" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("text", "name", "message", "line"),
    [
        ("text,team\nhello,a\n", "t.csv", "no column 'message'", 1),
        ("message,team\n ,a\n", "t.csv", "no 'message'", 2),
        ("message,team\n", "t.csv", "no row", None),
        ('{"message": "x", "team": "a"}\nnot json\n', "t.jsonl", "not JSON", 2),
        ('{"message": "x"}\n', "t.jsonl", "no column 'team'", 1),
        ('{"message": 7, "team": "a"}\n', "t.jsonl", "no 'message'", 1),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(
    tmp_path: Path, text: str, name: str, message: str, line: int | None
) -> None:
    with pytest.raises(ContentError, match=message) as refused:
        collect_file("t", SPEC, LEARNS, source(tmp_path, text, name))
    assert refused.value.line == line


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"neither \.csv nor \.jsonl"):
        collect_file("t", SPEC, LEARNS, source(tmp_path, "x", "t.xlsx"))


def test_a_file_may_say_its_splits_and_what_is_the_same_for_all(tmp_path: Path, log: Log) -> None:
    file = tmp_path / "rows.jsonl"
    lines = [
        {"message": "one", "team": "a", "part": "train"},
        {"message": "two", "team": "b", "part": "validation"},
        {"message": "three", "team": None, "part": "test"},
    ]
    file.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    source = FileSource(
        path=file, sha256=sha256_of(file), text="message", label="team", split="part", given={"tone": "kind"}
    )
    learns = LEARNS.model_copy(update={"fixed": ("labels", "tone", "mood")})
    project = collect_file("tickets", SPEC, learns, source)
    assert project.fixed == {"labels": ["a", "b"], "tone": "kind", "mood": None}
    raws = list(raws_of(project, learns, log.records))
    assert [(raw.given_split, raw.answer) for raw in raws] == [("train", "a"), ("dev", "b"), ("test", None)]


def test_a_split_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("text,label,split\none,a,train\ntwo,b,later\n", "utf-8")
    source = FileSource(path=file, sha256="", text="text", label="label", split="split")
    with pytest.raises(ContentError, match="'later' is no split") as refused:
        list(read_rows(source))
    assert refused.value.line == 3


def test_what_else_an_answer_depends_on_comes_with_it(log: Log) -> None:
    learns = Learns(kind="json", answer="label")
    spec = SPEC.model_copy(update={"learns": learns})
    log.answered("book the blue room", "a", labels=["x"])
    log.answered("book the red room", "a", labels=["y"])
    project = collect("calls", spec, LogSource(), log.records, OPEN)
    raws = list(raws_of(project, learns, log.records))
    assert [raw.inputs for raw in raws] == [{"labels": ["x"]}, {"labels": ["y"]}]


@pytest.mark.parametrize(
    ("kind", "label", "said"),
    [
        ("label", ["a"], "a label is text"),
        ("label", 3, "a label is text"),
        ("spans", "a", "parts of a text are a list"),
        ("spans", [{"kind": "city"}], "parts of a text are a list"),
        ("spans", [{"kind": "city", "start": 2, "end": 99}], "a part lies outside its text"),
    ],
)
def test_an_answer_of_another_kind_is_told_with_its_line(
    tmp_path: Path, kind: Any, label: Any, said: str
) -> None:
    file = tmp_path / "rows.jsonl"
    good = {"text": "from Ghent", "label": "a" if kind == "label" else []}
    file.write_text("\n".join(map(json.dumps, [good, {"text": "to Ghent", "label": label}])), "utf-8")
    source = FileSource(path=file, sha256="", text="text", label="label")
    learns = LEARNS.model_copy(update={"kind": kind})
    with pytest.raises(ContentError, match=said) as refused:
        collect_file("tickets", SPEC, learns, source)
    assert refused.value.line == 2


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_columns_are_parted_as_the_header_is(tmp_path: Path, mark: str, end: str) -> None:
    file = tmp_path / "rows.csv"
    rows = [("label", "text"), ("a", f'"one{mark} two"'), ("b", "three")]
    file.write_bytes(end.join(map(mark.join, rows)).encode())
    found = list(read_rows(FileSource(path=file, sha256="", text="text", label="label")))
    assert [(row.text, row.answer) for row in found] == [(f"one{mark} two", "a"), ("three", "b")]


def rows_in(file: Path) -> list[tuple[str, Any]]:
    found = read_rows(FileSource(path=file, sha256="", text="text", label="label"))
    return [(row.text, row.answer) for row in found]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("r.csv", "text,label\none, two,a\n", "more cells than the header"),
        ("r.csv", "text,label\none\n", "fewer cells than the header"),
        ("r.csv", 'text,label\n"one,a\n', "not CSV"),
        ("r.jsonl", '{"text": "\\ud800", "label": "a"}', "half of a character"),
        ("r.jsonl", '{"text": "one", "label": "\\ud800"}', "half of a character"),
        ("r.jsonl", '{"text": "one", "label": ' + "9" * 5000 + "}", "not JSON"),
        ("r.jsonl", "[" * 200_000, "not JSON"),
    ],
)
def test_rows_that_cannot_be_read_are_told_with_their_line(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_bytes(text.encode())
    with pytest.raises(ContentError, match=said):
        rows_in(tmp_path / name)


def test_a_label_is_the_same_with_space_around_it(tmp_path: Path) -> None:
    rows = [{"text": "one", "label": "a "}, {"text": "two", "label": "  "}]
    file = tmp_path / "R.JSONL"
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert rows_in(file) == [("one", "a"), ("two", None)]


@pytest.mark.parametrize("other", ["hardware", "HARDWARE", "Hard\u00a0ware "])
def test_labels_that_differ_by_case_or_spacing_alone_are_told(tmp_path: Path, other: str) -> None:
    usual = "Hard ware" if "\u00a0" in other else "Hardware"
    lines = [f"text {n},{label}" for n, label in enumerate([usual, "finance", other, *[usual] * 4])]
    given = source(tmp_path, "\n".join(["message,team", *lines]))
    with pytest.raises(ContentError, match="would be learnt as two labels") as refused:
        collect_file("t", SPEC, LEARNS, given)
    assert f"{usual!r} (lines 2, 5, 6 and 2 more) and {other.strip()!r} (line 4)" in refused.value.message
    assert refused.value.line == 4
    assert refused.value.hint == f"Write them alike in every row, such as {usual!r}."


def test_kinds_of_parts_that_differ_by_case_alone_are_told(tmp_path: Path) -> None:
    parts = [{"kind": kind, "start": 0, "end": 2} for kind in ("city", "City")]
    line = json.dumps({"message": "to Ghent", "team": parts})
    spans = Learns(kind="spans", answer="spans", choices="kinds", fixed=("kinds",))
    with pytest.raises(ContentError, match=r"'city' \(line 1\) and 'City' \(line 1\)"):
        collect_file("t", SPEC, spans, source(tmp_path, line, "spans.jsonl"))


def test_fewer_labels_than_the_file_holds_are_told_when_it_is_collected(tmp_path: Path) -> None:
    given = source(tmp_path, "message,team\none,a\ntwo,b\nthree,\nfour,c\nfive,c\n")
    fewer, more = (
        given.model_copy(update={"given": {"labels": labels}}) for labels in (["a"], ["a", "b", "c", "d"])
    )
    with pytest.raises(ContentError, match=r"leaves out 2 of 3.*'b' .*'c' \(lines 5, 6\)") as said:
        collect_file("t", SPEC, LEARNS, fewer)
    assert said.value.line == 3
    assert "leave -i labels out" in str(said.value.hint)
    assert collect_file("t", SPEC, LEARNS, more).fixed == {"labels": ["a", "b", "c", "d"]}


def test_what_stands_for_no_label_is_none_that_a_row_can_have(tmp_path: Path) -> None:
    learns = LEARNS.model_copy(update={"fixed": ("labels", "no_label")})
    given = source(tmp_path, "message,team\none,a\ntwo,none of these\n")
    said = {"labels": ["a", "b"], "no_label": "none of these"}
    with pytest.raises(ContentError, match=r"'none of these' is no_label.*line 3") as refused:
        collect_file("t", SPEC, learns, given.model_copy(update={"given": said}))
    assert refused.value.hint == "Leave the label of such a row empty."


@pytest.mark.parametrize("name", ["tickets-1", "a-2025", "7"])
def test_a_line_is_not_called_like_a_specialist(name: str) -> None:
    with pytest.raises(UserError, match="specialist's name"):
        insist_on_name(name)


def test_a_label_to_judge_by_is_one_that_was_learnt(tmp_path: Path) -> None:
    file = tmp_path / "gold.csv"
    file.write_text("text,label\none,a\ntwo,furniture\n", "utf-8")
    source = FileSource(path=file, sha256="", text="text", label="label")
    rows = list(read_rows(source))
    insist_on_labels(LEARNS, {"labels": ABC}, source, rows[:1])
    with pytest.raises(
        ContentError, match="'furniture' is none of the labels that were learnt: a, b, c"
    ) as said:
        insist_on_labels(LEARNS, {"labels": ABC}, source, rows)
    assert said.value.line == 3


def test_inputs_that_are_no_object_are_told_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"text": "a", "label": "a", "inputs": [1]}), "utf-8")
    with pytest.raises(ContentError, match="`inputs` is no object"):
        list(read_rows(FileSource(path=file, sha256="", text="text", label="label")))


@pytest.mark.parametrize("name", ["a/b ", "", "..", "Tickets!"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(UserError, match="is no name"):
        insist_on_name(name)


def test_a_file_that_is_not_utf8_is_told_what_to_type(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes("text,label\ncafé is closed,a\n".encode("cp1252"))
    with pytest.raises(ContentError, match="not UTF-8") as refused:
        list(read_rows(FileSource(path=file, sha256="", text="text", label="label")))
    assert refused.value.hint == "Convert it: iconv -f WINDOWS-1252 -t UTF-8 rows.csv"


@pytest.mark.parametrize(
    ("coding", "mark", "called"),
    [("utf-16", b"", "UTF-16"), ("utf-16-le", b"", "UTF-16LE"), ("utf-16-be", b"\xfe\xff", "UTF-16")],
)
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_utf_16_is_called_so(tmp_path: Path, name: str, coding: str, mark: bytes, called: str) -> None:
    file = tmp_path / name
    file.write_bytes(mark + "text,label\ncaf\u00e9 is closed,a\n".encode(coding))
    with pytest.raises(ContentError, match=f"{called}, and UTF-8 is needed") as refused:
        list(read_rows(FileSource(path=file, sha256="", text="text", label="label")))
    hint = str(refused.value.hint)
    assert "save it as CSV UTF-8" in hint
    assert f"iconv -f {called} -t UTF-8 {name} > utf8-{name}" in hint
