"""`lilliput demo`: the first real run. What it does is in `orchestrator.bench.demo`; here it is shown."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.door import Door, JsonOption, WorkspaceOption, open_door

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from orchestrator.bench.arms import Outcome
    from orchestrator.bench.demo import DemoProgress, DemoReport
    from orchestrator.cli.lines import LinesView
    from orchestrator.cli.live import LiveView
    from orchestrator.types import Json


def demo(
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE", help="Also write the table as SVG to this file."),
    ] = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run the service desk and 20 real cases, and compare both ways.

    It fetches what it takes: three small models and a larger one.
    """
    import anyio

    from orchestrator.cli.console import print_json

    door = open_door(workspace)
    report = anyio.run(_run, door)
    if as_json:
        print_json(report)
    else:
        _print(report)
    _keep(door, report, picture)


async def _run(door: Door) -> DemoReport:
    """Pull what is absent, then run both parts."""
    from orchestrator.bench.demo import needed_models, run_demo
    from orchestrator.cli.pulling import pull_all
    from orchestrator.controller import open_controller

    async with open_controller(door.workspace, door.settings) as controller:
        absent = [name for name in needed_models(controller) if controller.store.state(name) != "installed"]
        if absent:
            pull_all(door, absent)
        with Screen() as screen:
            return await run_demo(controller, screen.see)


class Screen:
    """Shows the demo: each message of the service desk as a live run, then a bar over the cases."""

    def __init__(self) -> None:
        from orchestrator.cli.console import to_people

        self.console = to_people()
        self._open = ExitStack()
        self._view: LiveView | LinesView | None = None
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def see(self, progress: DemoProgress) -> None:
        from orchestrator.cli.console import print_barred

        match progress.kind:
            case "desk_started":
                self._start_desk(progress.input)
            case "desk_event" if self._view:
                self._view.see(progress.event)
                if progress.event.kind == "run_done":
                    self._open.close()
                    print_barred(self.console, progress.event.result.answer)
            case "warming_up":
                self._say(f"Loading the models of {' and '.join(progress.arms)} …")
            case "case_done":
                self._case(progress.done, progress.total, progress.outcome)

    def _start_desk(self, message: Json) -> None:
        from orchestrator.cli.console import print_barred
        from orchestrator.cli.run import make_view

        self._say("\nA message for the service desk (the demo approves its writes, and throws them away):")
        print_barred(self.console, message.get("text", message))
        # Its record goes with the folder that the demo may write to.
        self._view = make_view("service-desk", kept=False)
        self._open.enter_context(self._view.shown())

    def _case(self, done: int, total: int, outcome: Outcome) -> None:
        from orchestrator.cli.console import seconds

        line = (
            f"{'✓' if outcome.solved else '✗'} {outcome.arm} {outcome.case_id}, {seconds(outcome.latency_s)}"
        )
        if not sys.stderr.isatty():
            return self._say(f"[{done}/{total}] {line}")
        if self._bar is None:
            self._bar = self._open.enter_context(_bar())
            self._task = self._bar.add_task("", total=total)
        assert self._task is not None
        self._bar.update(self._task, completed=done, description=line)
        return None

    def _say(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False)


def _bar() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from orchestrator.cli.console import to_people

    columns = (BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    return Progress(*columns, console=to_people(), transient=True)


def _print(report: DemoReport) -> None:
    from orchestrator.bench.demo import renderable
    from orchestrator.cli.console import to_stdout

    console = to_stdout()
    console.print()
    console.print(renderable(report))


def _keep(door: Door, report: DemoReport, picture: Path | None) -> None:
    from orchestrator.bench.demo import write_report
    from orchestrator.cli.console import to_people

    record, image = write_report(report, door.settings.state_dir)
    if picture:
        picture.write_bytes(image.read_bytes())
    to_people().print(f"Record: {record}\nPicture: {picture or image}", markup=False)
    to_people().print("Next: lilliput run --workflow service-desk --example 2", markup=False, highlight=False)
