"""`lilliput runs replay`: recorded work under another policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.door import JsonOption, WorkspaceOption, open_door

if TYPE_CHECKING:
    from orchestrator.cli.door import Door
    from orchestrator.records import RunRecord
    from orchestrator.replay import Replayed, StepChange, Total
    from orchestrator.types import Usage


def replay(
    run_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One run: an id, a beginning of one, or `last`.")
    ] = None,
    last: Annotated[int | None, typer.Option("--last", min=1, help="So many of the newest runs.")] = None,
    route: Annotated[
        str, typer.Option("--route", help="The policy to try: all-reference, all-small, cascade, …")
    ] = "cascade",
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Do recorded work again under another policy, and show what changes in outcome, time, energy and cost.

    The record answers what the policy asks as before; only what differs is asked. Nothing is written.
    """
    import anyio

    from orchestrator.cli.console import print_json
    from orchestrator.errors import UserError
    from orchestrator.replay import total

    if run_id is not None and last is not None:
        raise UserError("One run, or the newest?", hint="Name a run, or type --last, not both.")
    door = open_door(workspace)
    found = anyio.run(_replayed, door, _chosen(door, run_id, last), route)
    if as_json:
        return print_json({"total": total(found), "runs": found})
    for each in found:
        if len(found) == 1 or any(change.changed for change in each.steps):
            _tell(each)
    return _tell_total(total(found), route)


def _chosen(door: Door, run_id: str | None, last: int | None) -> list[RunRecord]:
    """The newest first. Runs without an end are left out. Raises UserError where there is none to replay."""
    from orchestrator.errors import UserError
    from orchestrator.records import Records

    records = Records(door.settings.state_dir / "runs.sqlite")
    try:
        if not records.runs(1):
            raise UserError(
                "No run is recorded yet, so there is none to replay.",
                hint="Make one: lilliput run --agent calculate --input expression='3 * 19.99'",
            )
        if run_id is not None:
            return [records.run(run_id)]
        if last is None:
            hint = "Name one (lilliput runs replay last), or several: --last 200"
            raise UserError("Which runs?", hint=hint)
        ended = [run for run in records.runs(last) if run.status not in ("working", "interrupted")]
        if not ended:
            raise UserError(f"None of the newest {last} has ended.", hint="`lilliput runs list` shows them.")
        return [records.run(run.id) for run in ended]
    finally:
        records.close()


async def _replayed(door: Door, runs: list[RunRecord], route: str) -> list[Replayed]:
    """Replays are recorded apart from the user's own runs."""
    from orchestrator.controller import open_controller
    from orchestrator.replay import replay as again

    apart = door.settings.model_copy(update={"state_dir": door.settings.state_dir / "replays"})
    async with open_controller(door.workspace, apart) as controller:
        return [found async for found in again(controller, runs, route)]


def _tell(found: Replayed) -> None:
    from orchestrator.cli.console import print_table, to_stdout

    same = "the same answer" if found.same_answer else f"another answer ({found.status_now})"
    to_stdout().print(f"{found.run_id}: {same}", markup=False, highlight=False)
    rows = [_row(change) for change in found.steps if change.changed] or [_row(c) for c in found.steps]
    print_table(("step", "then", "now", "output", "time", "joules"), rows, right=("time", "joules"))


def _row(change: StepChange) -> tuple[str, ...]:
    output = "the same" if change.same_output else "other"
    models = " > ".join(change.models_then) or "-", " > ".join(change.models_now) or "-"
    return (change.subtask, *models, output, *_then_and_now(change.usage_then, change.usage_now))


def _then_and_now(then: Usage, now: Usage) -> tuple[str, str]:
    from orchestrator.cli.console import number, seconds

    times = f"{seconds(then.duration_s)} > {seconds(now.duration_s)}"
    return times, f"{number(then.energy_j)} > {number(now.energy_j)}"


def _tell_total(found: Total, route: str) -> None:
    from orchestrator.cli.console import count, to_stdout

    times, joules = _then_and_now(found.usage_then, found.usage_now)
    to_stdout().print(
        f"{count(found.runs, 'run')} under {route}: {found.same_answers} with the same answer, "
        f"{count(sum(found.asked.values()), 'step')} asked anew{_of_whom(found)}; {times}, {joules} J",
        markup=False,
        highlight=False,
    )


def _of_whom(found: Total) -> str:
    asked = sorted(found.asked.items(), key=lambda each: -each[1])
    return f" ({', '.join(f'{model} {many}' for model, many in asked)})" if asked else ""
