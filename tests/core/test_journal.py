"""The journal: what was posted is written before what comes after it, and no failure is lost."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from orchestrator.errors import UserError
from orchestrator.journal import Journal
from orchestrator.records import Records
from orchestrator.types import (
    Event,
    Plan,
    Planned,
    Route,
    Routed,
    RunDone,
    RunResult,
    Step,
    StepDone,
    Subtask,
    Task,
    Usage,
)

TASK = Task(agent="echo", input={"text": "hello"})


class SlowRecords(Records):
    """A disk that takes its time, and refuses routes where it is told to."""

    refuses_routes = False

    def append(self, event: Event, seq: int) -> None:
        time.sleep(0.05)
        if self.refuses_routes and isinstance(event, Routed):
            raise UserError("The disk is full.")
        super().append(event, seq)


@pytest.fixture
def records(tmp_path: Path) -> SlowRecords:
    return SlowRecords(tmp_path / "runs.sqlite")


def _planned(run_id: str) -> Planned:
    return Planned(run_id=run_id, plan=Plan(subtasks=(Subtask(id="echo", agent="echo"),)))


def _routed(run_id: str) -> Routed:
    return Routed(run_id=run_id, subtask="echo", route=Route(policy="fixed:a", model="a", reason="by name"))


def _step(run_id: str, number: int) -> Step:
    return Step(
        run_id=run_id,
        index=0,
        subtask=f"s{number}",
        attempt=1,
        status="completed",
        started_at="",
        finished_at="",
    )


def _done(run_id: str) -> RunDone:
    return RunDone(run_id=run_id, result=RunResult(run_id=run_id, status="completed", usage=Usage()))


async def test_what_was_posted_comes_before_what_is_emitted_after_it(records: SlowRecords) -> None:
    journal = Journal(records, TASK)
    started = time.perf_counter()
    journal.post(_planned(journal.run_id))
    journal.post(_routed(journal.run_id))
    assert time.perf_counter() - started < 0.05  # nothing waited for the disk
    await journal.emit(_done(journal.run_id))
    journal.close()
    heard = [event.kind async for event in journal.events()]
    assert heard == ["run_started", "planned", "routed", "run_done"]
    assert [event.kind for event in records.run(journal.run_id).events] == heard


async def test_nobody_hears_of_what_is_not_written_yet(records: SlowRecords) -> None:
    journal = Journal(records, TASK)
    listening = aiter(journal.events())
    await anext(listening)  # that it began
    journal.post(_planned(journal.run_id))
    heard = await anext(listening)
    assert heard in records.run(journal.run_id).events


async def test_what_went_wrong_with_a_post_is_raised_by_the_next_emit_which_is_written(
    records: SlowRecords,
) -> None:
    records.refuses_routes = True
    journal = Journal(records, TASK)
    for _ in range(2):
        journal.post(_routed(journal.run_id))
    with pytest.raises(UserError, match="disk is full"):
        await journal.emit(_done(journal.run_id))
    assert records.run(journal.run_id).result is not None  # nobody waits for its end for ever


async def test_of_two_that_emit_at_once_the_first_is_written_first(records: SlowRecords) -> None:
    """The first waits for a post as well, which must not let the second one pass."""
    journal = Journal(records, TASK)
    journal.post(_planned(journal.run_id))
    await asyncio.gather(*(journal.add_step(_step(journal.run_id, number)) for number in range(3)))
    journal.close()
    told = [event.step for event in [e async for e in journal.events()] if isinstance(event, StepDone)]
    assert [step.index for step in told] == [0, 1, 2]
    assert [step.subtask for step in told] == ["s0", "s1", "s2"]


async def test_all_is_written_even_where_who_waits_for_it_is_stopped(records: SlowRecords) -> None:
    journal = Journal(records, TASK)
    journal.post(_planned(journal.run_id))
    waiting = asyncio.create_task(journal.emit(_routed(journal.run_id)))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await journal.emit(_done(journal.run_id))
    written = [event.kind for event in records.run(journal.run_id).events]
    assert written == ["run_started", "planned", "routed", "run_done"]
