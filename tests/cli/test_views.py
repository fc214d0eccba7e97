"""What a run looks like while it happens: the folded state, the tree, the lines."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from orchestrator.cli.lines import LinesView, SilentView, line_of
from orchestrator.cli.live import LiveView, draw
from orchestrator.cli.progress import RunState, stages, totals
from orchestrator.types import (
    ApprovalAsked,
    ApprovalGiven,
    Decision,
    Event,
    Plan,
    Planned,
    Progress,
    Route,
    Routed,
    RunDone,
    RunResult,
    RunStarted,
    Step,
    StepDone,
    Subtask,
    Task,
    Usage,
)

PLAN = Plan(
    subtasks=(
        Subtask(id="read", agent="read"),
        Subtask(id="left", agent="say", inputs={"x": "${read}"}),
        Subtask(id="right", agent="say", inputs={"x": "${read}"}),
        Subtask(id="save", tool="save", inputs={"x": "${left}"}, after=("right",)),
    )
)
ROUTE = Route(
    policy="cascade",
    model="small",
    reason="smallest of 2 (1M parameters), then large",
    ladder=("small", "large"),
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def step(subtask: str, model: str | None, action: str = "accept", reason: str = "fine") -> StepDone:
    return StepDone(
        run_id="r1",
        step=Step(
            run_id="r1",
            index=0,
            subtask=subtask,
            agent="say",
            model=model,
            status="completed" if action == "accept" else "failed",
            decision=Decision.model_validate({"action": action, "reason": reason}),
            usage=Usage(calls=1, prompt_tokens=30, completion_tokens=4, duration_s=2.0),
            started_at="2026-01-01T00:00:00+00:00",
            finished_at="2026-01-01T00:00:02+00:00",
        ),
    )


RUN: Sequence[Event] = (
    RunStarted(run_id="r1", task=Task(input={"text": "x"})),
    Planned(run_id="r1", plan=PLAN),
    Routed(run_id="r1", subtask="read", route=Route(policy="cascade", model=None, reason="exact code")),
    step("read", None),
    Routed(run_id="r1", subtask="left", route=ROUTE),
    Progress(run_id="r1", subtask="left", model="small", text="some \x1b[1m text"),
    step("left", "small", "escalate", "too short"),
    Progress(run_id="r1", subtask="left", model="large", text="better"),
)


def seen(events: Sequence[Event], clock: Clock | None = None) -> RunState:
    state = RunState("desk", clock or Clock())
    for event in events:
        state.see(event)
    return state


def drawn(state: RunState, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(draw(state, width))
    out: str = console.file.getvalue()  # type: ignore[attr-defined]
    return out.rstrip("\n").split("\n")


def test_a_stage_holds_what_can_run_together() -> None:
    assert stages(PLAN) == [["read"], ["left", "right"], ["save"]]


def test_before_the_plan_the_model_is_seen_writing_it() -> None:
    writing = Progress(run_id="r1", subtask="plan", model="m", text='{"subtasks": [')
    assert "planning" in drawn(seen(RUN[:1]))[0]
    assert "subtasks" in drawn(seen([RUN[0], writing]))[0]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_tree_fits_the_terminal_and_shows_who_answers_and_why(width: int) -> None:
    lines = drawn(seen(RUN), width)
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    assert "├─ together" in text
    assert "│  ├─" in text
    assert "small failed, next model: too short" in text
    assert "large" in text
    assert "after small" in text
    assert "better" in text
    assert "└─ · save" in text


def test_what_a_model_writes_cannot_command_the_terminal() -> None:
    assert "\x1b" not in "\n".join(drawn(seen(RUN[:6])))


def test_the_clock_of_a_subtask_at_work_runs_and_then_stands() -> None:
    clock = Clock()
    state = seen(RUN[:5], clock)
    clock.now += 3
    assert state.running_s(state.rows["left"]) == 3
    state.see(step("left", "small"))
    clock.now += 3
    assert state.running_s(state.rows["left"]) == 2.0
    assert state.rows["left"].tokens == 34


def test_a_write_is_seen_waiting_and_then_decided() -> None:
    asked = ApprovalAsked(run_id="r1", subtask="save", tool="save", arguments={"x": 1})
    given = ApprovalGiven(run_id="r1", subtask="save", approved=False, by="somebody")
    assert "waits for a person" in "\n".join(drawn(seen([*RUN, asked])))
    assert "not approved" in "\n".join(drawn(seen([*RUN, asked, given])))


def test_the_end_is_told_with_its_totals() -> None:
    usage = Usage(calls=2, prompt_tokens=60, completion_tokens=8, energy_j=12.5, energy_source="modelled")
    done = RunDone(run_id="r1", result=RunResult(run_id="r1", status="completed", usage=usage))
    told = totals(seen([*RUN, done]))
    assert told.startswith("completed in 0 ms · 2 model calls · 68 tokens · 12.5 J modelled")
    assert "lilliput runs show r1" in told
    assert totals(seen(RUN)).startswith("stopped after")


def test_lines_tell_every_event_but_what_is_being_written() -> None:
    told = [line_of(event) for event in RUN]
    assert told == [
        "run r1 started",
        "plan: 4 subtasks (workflow): read > left + right > save",
        None,
        "read: completed by code, 2.0 s, 34 tokens",
        "left: asks small (smallest of 2)",
        None,
        "left: small failed, next model: too short",
        None,
    ]


def test_every_view_survives_the_same_run_and_steps_aside_for_a_question() -> None:
    for make in (LinesView, LiveView):
        out = io.StringIO()
        view = make(RunState("desk"), Console(file=out, force_terminal=True, width=80))
        with view.shown():
            for event in RUN:
                view.see(event)
            with view.put_aside() as console:
                console.print("a question")
        assert "a question" in out.getvalue()
        assert "stopped after" in out.getvalue()
    silent = SilentView(RunState("desk"))
    with silent.shown(), silent.put_aside():
        silent.see(RUN[0])
    assert silent.state.run_id == "r1"
