"""The durable, append-only record of runs: what was asked, planned, routed, answered and decided.

Three tables: `runs` (one row when it starts), `steps` (one row a model or tool call, written when it has
ended) and `events` (everything else, in order). Rows are only ever added. Each write is its own transaction
with WAL and synchronous=FULL, so that what was acknowledged survives a kill. A run whose process is gone
without an end is shown as `interrupted`; nothing is rewritten to say so.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects import sqlite

from orchestrator.errors import UnknownName, UserError
from orchestrator.types import (
    Event,
    Plan,
    Planned,
    Record,
    RunDone,
    RunResult,
    RunStarted,
    Step,
    StepDone,
    Task,
    Usage,
)

SCHEMA_VERSION = 1
_WAIT_S = 10.0
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_TABLES = sa.MetaData()
_RUNS = sa.Table(
    "runs",
    _TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("started_at", sa.Text, nullable=False, index=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("process_started", sa.Float, nullable=False),
)
_STEPS = sa.Table(
    "steps",
    _TABLES,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("subtask", sa.Text, nullable=False),
    sa.Column("model", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)
_EVENTS = sa.Table(
    "events",
    _TABLES,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)


class RunSummary(Record):
    """One line of `lilliput runs list`. `duration_s` is None while the run has no end."""

    id: str
    started_at: str
    status: str
    title: str
    steps: int
    duration_s: float | None = None
    usage: Usage = Usage()


class RunRecord(Record):
    """All that is known of a run; enough to explain it without any model installed."""

    summary: RunSummary
    task: Task
    plan: Plan | None
    steps: tuple[Step, ...]
    events: tuple[Event, ...]
    result: RunResult | None


def utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_run_id(now: str) -> str:
    """Sorts by time, is easy to type, and does not collide: `20261122-064512-3fa9c1`."""
    return f"{now[:19].replace('-', '').replace(':', '').replace('T', '-')}-{secrets.token_hex(3)}"


class Records:
    """Reads and writes one SQLite file. Every method is synchronous and safe to call from several threads."""

    def __init__(self, path: Path, clock: Callable[[], str] = utc_now) -> None:
        self.path = path
        self._clock = clock
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from None
        self._engine = sa.create_engine(
            f"sqlite:///{path}",
            hide_parameters=True,
            connect_args={"timeout": _WAIT_S, "check_same_thread": False},
        )
        sa.event.listen(self._engine, "connect", _durable)
        self._prepare()

    def start(self, task: Task) -> RunStarted:
        """Write the run's first rows and return its first event."""
        now, me = self._clock(), psutil.Process()
        row = {
            "started_at": now,
            "title": title_of(task),
            "task": task.model_dump_json(),
            "pid": me.pid,
            "process_started": me.create_time(),
        }
        with self._begin() as connection:
            taken = True
            while taken:  # of two runs of one second that drew the same id the second draws again
                run_id = new_run_id(now)
                insert = sqlite.insert(_RUNS).on_conflict_do_nothing(index_elements=["id"])
                written = connection.execute(insert, {**row, "id": run_id})
                taken = not written.rowcount
            started = RunStarted(run_id=run_id, task=task)
            connection.execute(_EVENTS.insert(), self._event_row(started, 0))
        return started

    def append(self, event: Event, seq: int) -> None:
        """Write one event; a finished step goes to its own table and is pointed at from here."""
        with self._begin() as connection:
            if isinstance(event, StepDone):
                connection.execute(_STEPS.insert(), _step_row(event.step))
            connection.execute(_EVENTS.insert(), self._event_row(event, seq))

    def runs(self, limit: int = 20) -> list[RunSummary]:
        """The newest first."""
        query = (
            sa.select(_RUNS, _done_body(), _step_count())
            .order_by(_RUNS.c.started_at.desc(), _RUNS.c.id.desc())
            .limit(limit)
        )
        with self._begin(write=False) as connection:
            return [_summary(row) for row in connection.execute(query)]

    def run(self, run_id: str) -> RunRecord:
        """One run, by its id, a unique beginning of it, or `last`. Raises UnknownName or UserError."""
        with self._begin(write=False) as connection:
            full = self._resolve(connection, run_id)
            query = sa.select(_RUNS, _done_body(), _step_count()).where(_RUNS.c.id == full)
            row = connection.execute(query).one()
            steps = _steps(connection, full)
            events = _events(connection, full, steps)
        return RunRecord(
            summary=_summary(row),
            task=Task.model_validate_json(row.task),
            plan=next((event.plan for event in events if isinstance(event, Planned)), None),
            steps=steps,
            events=events,
            result=next((event.result for event in events if isinstance(event, RunDone)), None),
        )

    def steps_of(
        self, agent: str, *, since: str = "", until: str = "~", workflow: str | None = None
    ) -> Iterator[Step]:
        """The recorded steps of an agent, the oldest first. `since`, `until`: ISO times of a run's start."""
        query = (
            sa.select(_STEPS.c.body, _RUNS.c.task)
            .join(_RUNS, _RUNS.c.id == _STEPS.c.run_id)
            .where(_RUNS.c.started_at.between(since, until))
            .where(_STEPS.c.body.contains(f'"agent":"{agent}"', autoescape=True))
            # Of two runs of one millisecond the one that was written first.
            .order_by(_RUNS.c.started_at, sa.literal_column("runs.rowid"), _STEPS.c.position)
        )
        with self._begin(write=False) as connection:
            for row in connection.execute(query):
                step = Step.model_validate_json(row.body)
                if step.agent == agent and workflow in (None, json.loads(row.task).get("workflow")):
                    yield step

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _begin(self, *, write: bool = True) -> Iterator[sa.Connection]:
        """A transaction. Raises UserError when the file is no database, is full, or may not be written."""
        try:
            with self._engine.begin() if write else self._engine.connect() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise self._unusable(error.orig or error) from None

    def _connect(self) -> None:
        """SQLite does not wait for its lock where a new file becomes a write-ahead log, so we do."""
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                return self._engine.connect().close()
            except sa.exc.DBAPIError as error:
                if "locked" not in str(error.orig) or time.monotonic() > deadline:
                    raise self._unusable(error.orig or error) from None
            time.sleep(0.02)

    def _unusable(self, error: BaseException) -> UserError:
        return UserError(
            f"The records in {self.path} cannot be used: {error}.",
            hint="Make room, or mend or move that file; LILLIPUT_STATE_DIR names another folder.",
        )

    def _prepare(self) -> None:
        self._connect()
        with self._begin() as connection:
            found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if found not in (0, SCHEMA_VERSION):
                raise UserError(
                    f"{self.path} has schema {found}; this version reads {SCHEMA_VERSION}.",
                    hint="Point LILLIPUT_STATE_DIR at another folder, or use the version that wrote it.",
                )
        if found == 0:
            with self._begin() as connection:
                # Two processes may open a new file at once: the second waits, and then finds the tables.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                _TABLES.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _event_row(self, event: Event, seq: int) -> dict[str, Any]:
        body = event.model_dump(mode="json")
        if isinstance(event, StepDone):
            body["step"] = event.step.index  # the step itself stands in its own table
        return {
            "run_id": event.run_id,
            "seq": seq,
            "kind": event.kind,
            "at": self._clock(),
            "body": json.dumps(body, ensure_ascii=False),
        }

    def _resolve(self, connection: sa.Connection, run_id: str) -> str:
        query = sa.select(_RUNS.c.id).order_by(_RUNS.c.started_at.desc(), _RUNS.c.id.desc())
        if run_id != "last":
            query = query.where(_RUNS.c.id.startswith(run_id, autoescape=True))
        found = list(connection.execute(query.limit(2)).scalars())
        if not found:
            known = connection.execute(sa.select(_RUNS.c.id).limit(1000)).scalars()
            raise UnknownName("run", run_id, known, hint="`lilliput runs list` shows the newest ones.")
        if len(found) > 1 and run_id not in ("last", *found):
            raise UserError(
                f"Several runs begin with {run_id!r}.", hint=f"Type more of it: {', '.join(found)}."
            )
        return run_id if run_id in found else found[0]


def title_of(task: Task) -> str:
    what = task.workflow or task.agent or "plan"
    text = next((value for value in task.input.values() if isinstance(value, str)), "")
    return f"{what}: {' '.join(text.split())[:80]}"


def _durable(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _step_row(step: Step) -> dict[str, Any]:
    return {
        "run_id": step.run_id,
        "position": step.index,
        "subtask": step.subtask,
        "model": step.model,
        "status": step.status,
        "body": step.model_dump_json(),
    }


def _done_body() -> sa.Label[Any]:
    done = sa.select(_EVENTS.c.body).where(_EVENTS.c.run_id == _RUNS.c.id, _EVENTS.c.kind == "run_done")
    return done.limit(1).scalar_subquery().label("done")


def _step_count() -> sa.Label[Any]:
    count = sa.select(sa.func.count()).where(_STEPS.c.run_id == _RUNS.c.id)
    return count.scalar_subquery().label("step_count")


def _steps(connection: sa.Connection, run_id: str) -> tuple[Step, ...]:
    query = sa.select(_STEPS.c.body).where(_STEPS.c.run_id == run_id).order_by(_STEPS.c.position)
    return tuple(Step.model_validate_json(body) for body in connection.execute(query).scalars())


def _events(connection: sa.Connection, run_id: str, steps: tuple[Step, ...]) -> tuple[Event, ...]:
    query = sa.select(_EVENTS.c.body).where(_EVENTS.c.run_id == run_id).order_by(_EVENTS.c.seq)
    by_index = {step.index: step.model_dump() for step in steps}
    found = [json.loads(body) for body in connection.execute(query).scalars()]
    for event in found:
        if event["kind"] == "step_done":
            event["step"] = by_index[event["step"]]
    return tuple(_EVENT.validate_python(event) for event in found)


def _summary(row: Any) -> RunSummary:
    result = RunDone.model_validate_json(row.done).result if row.done else None
    return RunSummary(
        id=row.id,
        started_at=row.started_at,
        status=result.status if result else _status_without_end(row.pid, row.process_started),
        title=row.title,
        steps=row.step_count,
        duration_s=result.usage.duration_s if result else None,
        usage=result.usage if result else Usage(),
    )


def _status_without_end(pid: int, process_started: float) -> str:
    """A process id alone may have been given to another process since; its start time tells them apart."""
    try:
        alive = abs(psutil.Process(pid).create_time() - process_started) < 1.0
    except psutil.NoSuchProcess:
        alive = False
    return "working" if alive else "interrupted"
