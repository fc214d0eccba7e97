"""A run as plain lines, one an event, for logs and pipes. What a model is writing right now is left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.cli.console import count, first_line, seconds, to_people
from orchestrator.cli.progress import RunState, add_tokens, doubt_of, few_words, reason_of, refusal, totals
from orchestrator.cli.visible import visible

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.types import Event, Plan, Step

LONGEST = 200


class LinesView:
    """Prints a run while it happens."""

    def __init__(self, state: RunState, console: Console | None = None) -> None:
        self.state = state
        self.console = console or to_people()

    def see(self, event: Event) -> None:
        self.state.see(event)
        if line := line_of(event):
            self._print(line)

    @contextmanager
    def shown(self) -> Iterator[None]:
        yield
        self._print(totals(self.state))

    @contextmanager
    def put_aside(self) -> Iterator[Console]:
        yield self.console

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False)


class SilentView:
    """Shows nothing; stdout carries a document."""

    def __init__(self, state: RunState) -> None:
        self.state = state

    def see(self, event: Event) -> None:
        self.state.see(event)

    @contextmanager
    def shown(self) -> Iterator[None]:
        yield

    @contextmanager
    def put_aside(self) -> Iterator[Console]:
        yield to_people()


def line_of(event: Event) -> str | None:
    """The event as one line, or None where there is nothing to tell."""
    match event.kind:
        case "run_started":
            return f"run {event.run_id} started"
        case "planned":
            return f"plan: {_plan(event.plan)}"
        case "routed" if event.route.model:
            return f"{event.subtask}: asks {event.route.model} ({few_words(event.route)})"
        case "step_done":
            return f"{event.step.subtask}: {_step(event.step)}"
        case "approval_asked":
            return f"{event.subtask}: {event.tool} is a write and asks first"
        case "approval_given":
            return f"{event.subtask}: {'approved' if event.approved else 'not approved'}"
    return None


def _plan(plan: Plan) -> str:
    from orchestrator.cli.progress import stages

    order = " > ".join(" + ".join(stage) for stage in stages(plan))
    return f"{count(len(plan.subtasks), 'subtask')} ({plan.planner}): {order}"


def _step(step: Step) -> str:
    if step.decision and step.decision.action in ("retry", "escalate"):
        return first_line(visible(refusal(step)), LONGEST)
    if step.status == "waiting":
        return "waits for approval; nothing was written"
    if step.status == "skipped":
        return f"skipped ({reason_of(step)})"
    tokens = add_tokens(None, step)
    took = seconds(step.usage.duration_s) if step.usage.duration_s is not None else None
    who = step.model or step.tool or ("code" if step.decision else None)
    parts = [
        f"{step.status} by {who}" if who else step.status,
        took,
        count(tokens, "token") if tokens else None,
    ]
    parts.append(doubt_of(step))
    if step.status != "completed":
        parts.append(visible(reason_of(step)))
    return first_line(", ".join(part for part in parts if part), LONGEST)
