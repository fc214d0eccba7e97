"""One run in progress: what belongs to it, how a subtask ends, and how the whole of it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from orchestrator import planning
from orchestrator.budget import Spending
from orchestrator.journal import Journal
from orchestrator.past import Past
from orchestrator.records import utc_now
from orchestrator.types import ApprovalAsked, Plan, Status, Step, StepStatus, Task, Usage

Approver = Callable[[ApprovalAsked], Awaitable[bool]]


class Outcome(NamedTuple):
    """How a subtask ended. A skipped one leaves null behind; a failed one stops what depends on it."""

    status: StepStatus
    output: Any = None


class Run(NamedTuple):
    """What belongs to one run. `scope` is what `${...}` references see: the task and the outputs so far.

    `past`: the recorded run that this one replays.
    """

    task: Task
    journal: Journal
    spending: Spending
    approve: Approver | None
    scope: dict[str, Any]
    past: Past | None = None

    def step(self, subtask: str, started: str, status: StepStatus, **fields: Any) -> Step:
        """A step that ends now. The journal gives it its number."""
        times = {"started_at": started, "finished_at": utc_now()}
        return Step(run_id=self.journal.run_id, index=0, subtask=subtask, status=status, **times, **fields)


class Ending(NamedTuple):
    """How a whole run ends. `refused`: see `RunResult`."""

    status: Status
    answer: Any = None
    error: str | None = None
    refused: Any = None


def ending(
    plan: Plan, outcomes: Mapping[str, Outcome], scope: Mapping[str, Any], steps: list[Step]
) -> Ending:
    """What the subtasks amount to: status, answer, and why it failed if it did."""
    answer = final_answer(plan, scope)
    failed = [step.id for step in plan.subtasks if outcomes[step.id].status == "failed"]
    if failed:
        last = {step.subtask: step for step in steps if step.subtask in failed and step.status == "failed"}
        said = {name: step.output for name, step in last.items() if step.output is not None}
        error = "; ".join(f"{name}: {last[name].error}" for name in failed if name in last)
        return Ending("failed", answer, error, final_answer(plan, {**scope, **said}) if said else None)
    waiting = any(outcome.status == "waiting" for outcome in outcomes.values())
    return Ending("input-required" if waiting else "completed", answer)


def final_answer(plan: Plan, scope: Mapping[str, Any]) -> Any:
    """What the plan says; a model's plan may point at a field that is not there, then the last output."""
    last = scope.get(plan.subtasks[-1].id)
    if plan.answer is None:
        return last
    answer = planning.resolve(plan.answer, scope)
    return last if answer is None and plan.planner == "model" else answer


def usage_by_model(steps: list[Step]) -> dict[str, Usage]:
    """`code` stands for tools and for agents that no model answers."""
    by_model: dict[str, Usage] = {}
    for step in steps:
        name = step.model or "code"
        by_model[name] = by_model.get(name, Usage()) + step.usage
    return by_model


def least_confidence(steps: list[Step]) -> float | None:
    """A run is as sure as its least sure accepted step; None when no step could tell."""
    known = [step.confidence for step in steps if step.status == "completed" and step.confidence is not None]
    return min(known, default=None)
