"""`lilliput runs`: what happened, from the records alone. No model has to be installed for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import replay
from orchestrator.cli.door import JsonOption, WorkspaceOption, open_door

if TYPE_CHECKING:
    from orchestrator.records import Records, RunRecord
    from orchestrator.types import Check, Step, Usage

app = typer.Typer(
    help="Finished and running tasks, with the reason for every decision.", no_args_is_help=True
)
# Lines of an input or output that are shown without --full.
FEW = 6
# What the columns before the task of a run take.
OTHER_COLUMNS = 58


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 20,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """List the newest runs."""
    from orchestrator.cli.console import (
        ago,
        first_line,
        print_json,
        print_table,
        seconds,
        to_people,
        to_stdout,
    )
    from orchestrator.cli.visible import visible

    found = _records(workspace).runs(limit)
    if as_json:
        return print_json(found)
    room = min(to_stdout().width - OTHER_COLUMNS, 80)
    rows = [
        (
            run.id,
            ago(run.started_at),
            run.status,
            seconds(run.duration_s),
            first_line(visible(run.title), room),
        )
        for run in found
    ]
    columns = ("run", "ago", "status", "time", "task")
    print_table(columns, rows, right=("ago", "time"))
    if len(found) == limit:
        to_people().print(f"The newest {limit}; for more: lilliput runs list -n {limit * 5}", style="dim")
    return None


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="An id, a unique beginning of one, or `last`.")],
    full: Annotated[bool, typer.Option("--full", help="Show inputs and outputs in full.")] = False,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Explain a run: its plan, and for each step the route, the checks, the decision and the output."""
    from orchestrator.cli.console import print_json, print_pairs, to_stdout
    from orchestrator.cli.visible import visible

    record = _records(workspace).run(run_id)
    if as_json:
        return print_json(record)
    console = to_stdout()
    print_pairs(_summary(record, full))
    shown: set[str] = set()
    for step in record.steps:
        console.print()
        console.print(visible(_title(step)), style=_style(step), markup=False)
        print_pairs(_step(step, full, again=step.subtask in shown), indent=2)
        shown.add(step.subtask)
    return None


app.command()(replay.replay)


def _records(folder: Path | None) -> Records:
    from orchestrator.records import Records

    # The same file as in `open_controller`, which would also load every tool.
    return Records(open_door(folder).settings.state_dir / "runs.sqlite")


def _summary(record: RunRecord, full: bool) -> list[tuple[str, Any]]:
    from orchestrator.cli.console import moment, seconds
    from orchestrator.cli.progress import stages

    task, summary, result = record.task, record.summary, record.result
    order = None
    if record.plan:
        order = " > ".join(" + ".join(stage) for stage in stages(record.plan))
    took = f" in {seconds(summary.duration_s)}" if summary.duration_s is not None else ""
    return [
        ("run", f"{summary.id}, started {moment(summary.started_at)}"),
        ("status", summary.status + took),
        ("used", usage_text(summary.usage) or None),
        ("task", _short(task.input, full)),
        ("asked of", task.workflow or task.agent or "a plan that a model writes"),
        ("policy", task.route),
        ("plan", f"{order}  ({record.plan.planner})" if record.plan else None),
        ("answer", _short(result.answer, full) if result and result.answer is not None else None),
        ("error", result.error if result else None),
    ]


def _title(step: Step) -> str:
    who = " · ".join(part for part in (step.agent or step.tool, step.model) if part)
    again = f", attempt {step.attempt}" if step.attempt > 1 else ""
    return f"{step.index} {step.subtask} · {who}{again} · {step.status}"


def _style(step: Step) -> str:
    return {"completed": "bold green", "failed": "bold red", "denied": "bold red"}.get(step.status, "bold")


def _step(step: Step, full: bool, *, again: bool) -> list[tuple[str, Any]]:
    """`again`: another attempt at the same subtask; the inputs and the losers of the route stand above."""
    decision = step.decision
    return [
        *_route(step, again),
        ("inputs", _short(step.inputs, full) if step.inputs and not again else None),
        ("checks", _checks(decision.checks) if decision and decision.checks else None),
        ("decision", f"{decision.action}: {decision.reason}" if decision else None),
        ("output", _short(step.output, full) if step.output is not None else None),
        ("confidence", f"{step.confidence:.2f}" if step.confidence is not None else None),
        ("error", step.error),
        ("taken from", step.taken_from),
        ("used", usage_text(step.usage) or None),
    ]


def _route(step: Step, again: bool) -> list[tuple[str, Any]]:
    route = step.route
    if route is None:
        return []
    if again:
        asked = "the same model again, told what was wrong"
        if step.model != route.model and step.attempt == 1:
            asked = f"next of {' > '.join(route.ladder)}, because the one before failed"
        return [("policy", route.policy), ("chosen", step.model), ("because", asked)]
    rejected = "\n".join(f"{item.model}: {item.reason}" for item in route.rejected)
    return [
        ("policy", route.policy),
        ("chosen", route.model or "no model"),
        ("because", route.reason),
        ("rejected", rejected or None),
    ]


def _checks(checks: tuple[Check, ...]) -> str:
    return "\n".join(
        f"{'✓' if check.passed else '✗'} {check.name}" + (f": {check.reason}" if check.reason else "")
        for check in checks
    )


def _short(value: Any, full: bool) -> str:
    from orchestrator.cli.visible import as_text

    lines = as_text(value).split("\n")
    if full or len(lines) <= FEW:
        return "\n".join(lines)
    return "\n".join([*lines[:FEW], f"… {len(lines) - FEW} more lines (--full)"])


def usage_text(usage: Usage) -> str:
    """The known figures of a usage on one line, each with its unit."""
    from orchestrator.cli.console import count, number, seconds

    parts = [
        count(usage.calls, "model call") if usage.calls else None,
        seconds(usage.duration_s) if usage.duration_s is not None else None,
        f"{usage.prompt_tokens:,} tokens in" if usage.prompt_tokens is not None else None,
        f"{usage.completion_tokens:,} out" if usage.completion_tokens is not None else None,
        f"{usage.cached_tokens:,} reused" if usage.cached_tokens else None,
        f"first token after {seconds(usage.ttft_s)}" if usage.ttft_s is not None else None,
        f"load {seconds(usage.load_s)}" if usage.load_s else None,
        f"CPU {seconds(usage.cpu_s)}" if usage.cpu_s is not None else None,
        f"{number(usage.energy_j)} J {usage.energy_source}" if usage.energy_j is not None else None,
        f"{usage.cost_usd:.2g} USD" if usage.cost_usd is not None else None,
    ]
    return ", ".join(part for part in parts if part)
