"""Records: what was acknowledged survives, and a run can be read again without anything else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestrator.errors import UnknownName, UserError
from orchestrator.records import Records
from orchestrator.types import (
    Plan,
    Planned,
    Rejected,
    Route,
    RunDone,
    RunResult,
    Step,
    StepDone,
    Subtask,
    Task,
    Usage,
)

NOW = "2026-11-22T06:45:12.000+00:00"
TASK = Task(agent="echo", input={"text": "hello  there"})


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "state" / "runs.sqlite", clock=lambda: NOW)


def test_of_two_runs_that_draw_the_same_id_the_second_draws_again(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["aaaaaa", "aaaaaa", "bbbbbb"])
    monkeypatch.setattr("orchestrator.records.secrets.token_hex", lambda size: next(drawn))
    first, second = records.start(TASK).run_id, records.start(TASK).run_id
    assert (first[-6:], second[-6:]) == ("aaaaaa", "bbbbbb")
    assert {run.id for run in records.runs()} == {first, second}


def step(run_id: str, index: int) -> Step:
    route = Route(
        policy="cascade", model="tiny", reason="smallest", rejected=(Rejected(model="x", reason="absent"),)
    )
    return Step(
        run_id=run_id, index=index, subtask="a", agent="echo", model="tiny", status="completed",
        route=route, output={"text": "é"}, started_at=NOW, finished_at=NOW,
    )  # fmt: skip


def finished(records: Records) -> str:
    run_id = records.start(TASK).run_id
    plan = Plan(subtasks=(Subtask(id="a", agent="echo"),))
    records.append(Planned(run_id=run_id, plan=plan), 1)
    records.append(StepDone(run_id=run_id, step=step(run_id, 0)), 2)
    result = RunResult(run_id=run_id, status="completed", answer={"text": "é"}, usage=Usage(duration_s=1.5))
    records.append(RunDone(run_id=run_id, result=result), 3)
    return run_id


def test_a_run_is_read_back_whole(records: Records) -> None:
    run_id = finished(records)
    read = Records(records.path).run(run_id)
    assert read.task == TASK
    assert read.steps == (step(run_id, 0),)
    assert [event.kind for event in read.events] == ["run_started", "planned", "step_done", "run_done"]
    assert read.result is not None
    assert read.result.answer == {"text": "é"}
    assert read.summary.title == "echo: hello there"
    assert (read.summary.status, read.summary.steps, read.summary.duration_s) == ("completed", 1, 1.5)


def test_newest_first_and_last(records: Records) -> None:
    ids = [finished(records) for _ in range(3)]
    assert {run.id for run in records.runs()} == set(ids)
    assert len(records.runs(limit=2)) == 2
    assert records.run("last").summary.id == records.runs()[0].id


def test_unique_beginnings(records: Records) -> None:
    first, second = finished(records), finished(records)
    assert records.run(first).summary.id == first
    assert records.run(second[:-1]).summary.id == second
    with pytest.raises(UserError, match="Several runs begin with"):
        records.run(first[:8])
    with pytest.raises(UnknownName, match="lilliput runs list"):
        records.run("1999")
    with pytest.raises(UnknownName):
        records.run("%")


def test_this_process_is_working_and_a_dead_one_is_interrupted(records: Records) -> None:
    run_id = records.start(TASK).run_id
    assert records.run(run_id).summary.status == "working"
    with sa.create_engine(f"sqlite:///{records.path}").begin() as connection:
        connection.execute(sa.text("UPDATE runs SET process_started = process_started - 100"))
    assert records.run(run_id).summary.status == "interrupted"


def test_the_file_of_another_version_is_left_alone(records: Records) -> None:
    with sa.create_engine(f"sqlite:///{records.path}").begin() as connection:
        connection.exec_driver_sql("PRAGMA user_version = 99")
    with pytest.raises(UserError, match="has schema 99"):
        Records(records.path)


WRITER = """
import sys
from pathlib import Path
from tests.core.test_records import TASK, step
from orchestrator.records import Records
from orchestrator.types import StepDone
records = Records(Path(sys.argv[1]))
run_id = records.start(TASK).run_id
for index in range(100_000):
    records.append(StepDone(run_id=run_id, step=step(run_id, index)), index + 1)
    print(run_id, index, flush=True)
"""


def test_acknowledged_steps_survive_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    for attempt in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert writer.stdout is not None
        run_id = writer.stdout.readline().split()[0]
        time.sleep(0.02 + 0.03 * attempt)
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged = 1 + len(writer.stdout.read().splitlines())
        writer.wait()
        writer.stdout.close()
        read = Records(path).run(run_id)
        assert read.summary.status == "interrupted"
        # The last line may have been cut off by the kill after the write was acknowledged to the writer.
        assert acknowledged <= len(read.steps) <= acknowledged + 1
        assert [item.index for item in read.steps] == list(range(len(read.steps)))
        assert len(read.events) == len(read.steps) + 1


def test_a_new_file_may_be_opened_by_two_at_once(tmp_path: Path) -> None:
    """The second comes between the first one's look at the file and its tables."""
    file = tmp_path / "runs.sqlite"
    with sa.create_engine(f"sqlite:///{file}").connect() as other, ThreadPoolExecutor(8) as pool:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        opening = [pool.submit(Records, file) for _ in range(8)]
        time.sleep(0.3)
        other.rollback()
        for opened in opening:
            opened.result().close()
    assert Records(file).runs() == []


def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    file = tmp_path / "runs.sqlite"
    file.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(UserError, match=r"cannot be used: file is not a database.*LILLIPUT_STATE_DIR"):
        Records(file)


def test_a_state_folder_that_is_a_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(UserError, match=r"cannot be used.*LILLIPUT_STATE_DIR"):
        Records(tmp_path / "state" / "runs.sqlite")


def test_records_that_exist_are_read_without_writing(tmp_path: Path) -> None:
    """A full disk must not keep anybody from reading what happened."""
    file = tmp_path / "runs.sqlite"
    Records(file).close()
    before = file.read_bytes()
    Records(file).close()
    assert file.read_bytes() == before
