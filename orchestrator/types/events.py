"""What happens in a run, as a stream of typed events."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from orchestrator.types.base import Json, Record
from orchestrator.types.work import Plan, Route, RunResult, Step, Task


class RunStarted(Record):
    kind: Literal["run_started"] = "run_started"
    run_id: str
    task: Task


class Planned(Record):
    kind: Literal["planned"] = "planned"
    run_id: str
    plan: Plan


class Routed(Record):
    kind: Literal["routed"] = "routed"
    run_id: str
    subtask: str
    route: Route


class Progress(Record):
    """A piece of text that a model is writing now. Never recorded."""

    kind: Literal["progress"] = "progress"
    run_id: str
    subtask: str
    model: str
    text: str


class StepDone(Record):
    kind: Literal["step_done"] = "step_done"
    run_id: str
    step: Step


class ApprovalAsked(Record):
    """A write waits for a person. `arguments` are exactly what will run.

    `doubts`: of the steps before it the answers that were taken though a check did not hold, and why.
    """

    kind: Literal["approval_asked"] = "approval_asked"
    run_id: str
    subtask: str
    tool: str
    arguments: Json
    doubts: tuple[str, ...] = ()


class ApprovalGiven(Record):
    kind: Literal["approval_given"] = "approval_given"
    run_id: str
    subtask: str
    approved: bool
    by: str


class RunDone(Record):
    kind: Literal["run_done"] = "run_done"
    run_id: str
    result: RunResult


Event = Annotated[
    RunStarted | Planned | Routed | Progress | StepDone | ApprovalAsked | ApprovalGiven | RunDone,
    Field(discriminator="kind"),
]
