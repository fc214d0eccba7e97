"""What a run looks like right now, folded from its events. No drawing here: `live.py` and `runs.py` draw it.

The plan is a graph; people read it as stages. Subtasks of one stage wait for nobody in it, so they can run
together.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.cli.console import count

if TYPE_CHECKING:
    from orchestrator.types import Event, Plan, Route, RunResult, Step, Subtask

Clock = Callable[[], float]
# What is kept of a text that a model is writing: more than one line of any terminal.
TAIL = 400
MARKS = {
    "todo": "·",
    "working": "…",
    "asking": "?",
    "completed": "✓",
    "failed": "✗",
    "skipped": "-",
    "denied": "✗",
    "waiting": "?",
}


@dataclass
class Row:
    """One subtask of the plan and how far it is."""

    subtask: Subtask
    state: str = "todo"
    by: str = ""
    why: str = ""
    tokens: int | None = None
    duration_s: float | None = None
    started: float | None = None
    writing: str = ""
    ladder: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


class RunState:
    """Feed it events with `see`; read the rest. `kept`: the run's record can be read afterwards."""

    def __init__(self, title: str, clock: Clock = time.monotonic, *, kept: bool = True) -> None:
        self.title = title
        self.kept = kept
        self.run_id = ""
        self.rows: dict[str, Row] = {}
        self.stages: list[list[str]] = []
        self.result: RunResult | None = None
        self.planning = ""
        self._clock = clock
        self._started = clock()
        self._ended: float | None = None

    @property
    def elapsed_s(self) -> float:
        return (self._ended or self._clock()) - self._started

    def running_s(self, row: Row) -> float | None:
        """Time so far of a subtask at work, else the time that it took."""
        if row.state == "working" and row.started is not None:
            return self._clock() - row.started
        return row.duration_s

    def see(self, event: Event) -> None:
        self.run_id = event.run_id
        match event.kind:
            case "run_started":
                self._started = self._clock()
            case "planned":
                self._plan(event.plan)
            case "routed" if row := self.rows.get(event.subtask):
                self._route(row, event.route)
            case "progress":
                self._write(event.subtask, event.model, event.text)
            case "step_done" if row := self.rows.get(event.step.subtask):
                self._step(row, event.step)
            case "approval_asked" if row := self.rows.get(event.subtask):
                row.state, row.why = "asking", "waits for a person"
            case "approval_given" if row := self.rows.get(event.subtask):
                row.state, row.started = "working", self._clock()
                row.why = "approved" if event.approved else "not approved"
            case "run_done":
                self.result, self._ended, self.planning = event.result, self._clock(), ""

    def _plan(self, plan: Plan) -> None:
        self.planning = ""
        self.rows = {step.id: Row(step, by=step.agent or step.tool or "") for step in plan.subtasks}
        self.stages = stages(plan)

    def _route(self, row: Row, route: Route) -> None:
        row.state, row.started = "working", self._clock()
        row.by = route.model or "code"
        row.why = few_words(route) if route.model else ""
        row.ladder = route.ladder

    def _write(self, subtask: str, model: str, text: str) -> None:
        row = self.rows.get(subtask)
        if row is None:
            self.planning = (self.planning + text)[-TAIL:]
            return
        row.by = model
        row.writing = (row.writing + text)[-TAIL:]

    def _step(self, row: Row, step: Step) -> None:
        row.writing = ""
        row.by = step.model or step.tool or row.by
        row.duration_s = (row.duration_s or 0.0) + (step.usage.duration_s or 0.0)
        row.tokens = add_tokens(row.tokens, step)
        if step.decision and step.decision.action in ("retry", "escalate"):
            row.notes.append(refusal(step))
            if step.decision.action == "escalate":
                row.by = next_rung(row.ladder, step.model)
                row.why = f"after {step.model}"
            return
        row.state = step.status
        if doubt := doubt_of(step):
            row.notes.append(doubt)
        if step.status not in ("completed", "waiting") and (step.error or step.decision):
            row.notes.append(reason_of(step))


def stages(plan: Plan) -> list[list[str]]:
    """Ids by the number of subtasks that must end before: what shares a stage can run together."""
    from orchestrator.planning import needs

    waits = {step.id: needs(step) for step in plan.subtasks}
    depth: dict[str, int] = {}

    def measure(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((measure(other) for other in waits[name] if other in waits), default=-1)
        return depth[name]

    found: dict[int, list[str]] = {}
    for name in waits:
        found.setdefault(measure(name), []).append(name)
    return [found[level] for level in sorted(found)]


def few_words(route: Route) -> str:
    """The head of a route's reason; the rest of it is in `lilliput runs show`."""
    head = route.reason
    for stop in (" (", ", ", "; "):
        head = head.split(stop)[0]
    return head.replace("smallest of 1 capable", "only one capable")


def next_rung(ladder: tuple[str, ...], model: str | None) -> str:
    """The model after `model` on the ladder, or nothing."""
    higher = ladder[ladder.index(model) + 1 :] if model in ladder else ()
    return higher[0] if higher else ""


def refusal(step: Step) -> str:
    """Why an attempt was not taken, and what comes next."""
    decision = step.decision
    then = "asked again" if decision and decision.action == "retry" else "next model"
    return f"{step.model or 'it'} failed, {then}: {reason_of(step)}"


def doubt_of(step: Step) -> str | None:
    return f"taken in doubt: {step.doubt}" if step.doubt else None


def reason_of(step: Step) -> str:
    return step.error or (step.decision.reason if step.decision else "") or step.status


def add_tokens(so_far: int | None, step: Step) -> int | None:
    """Prompt and answer tokens of all attempts; None while nobody counted any."""
    known = [value for value in (step.usage.prompt_tokens, step.usage.completion_tokens) if value is not None]
    return (so_far or 0) + sum(known) if known else so_far


def totals(state: RunState) -> str:
    """How it ended and what it took; then where to read why."""
    from orchestrator.cli.console import number, seconds

    result = state.result
    if result is None:
        return f"stopped after {seconds(state.elapsed_s)}"
    usage = result.usage
    tokens = [value for value in (usage.prompt_tokens, usage.completion_tokens) if value is not None]
    parts = [f"{result.status} in {seconds(state.elapsed_s)}", count(usage.calls, "model call")]
    parts += [count(sum(tokens), "token")] if tokens else []
    parts += [f"{number(usage.energy_j)} J {usage.energy_source}"] if usage.energy_j is not None else []
    if state.kept:
        parts[-1] += f"\nEvery step and its reasons: lilliput runs show {result.run_id}"
    return " · ".join(parts)
