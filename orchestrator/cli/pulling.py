"""Pulling models with something to look at: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.cli.console import make_table, seconds, size, to_people
from orchestrator.cli.door import Door

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from orchestrator.store import Manifest, ModelStore, Progress, PullEvent, PullPlan

# A log gets a line for every tenth of a download.
TENTHS = 10
_NUMBER = re.compile(r"\d+")


def pull_all(door: Door, names: list[str]) -> list[Manifest]:
    """Say what all of them take, refuse what cannot work, then pull one after the other."""
    for name in names:
        door.workspace.card(name)
    store = door.store()
    plans = {name: store.plan(name) for name in names if door.workspace.card(name).files}
    _announce(door, list(plans.values()))
    here = {name for name, plan in plans.items() if plan.state == "installed"}
    return [_pull_one(store, name, had_it=name in here) for name in dict.fromkeys(names)]


def _announce(door: Door, plans: list[PullPlan]) -> None:
    """What it takes, and what there is. Raises StoreError before anything is downloaded."""
    from orchestrator.store.plan import refuse_if_impossible

    console = to_people()
    absent = [plan for plan in plans if plan.state != "installed"]
    if absent and console.is_terminal:
        console.print(_plan_table(absent))
    for plan in plans:
        if not console.is_terminal or plan.state == "installed":
            console.print(plan.text(), markup=False)
    for plan in absent:
        refuse_if_impossible(plan, door.workspace.card(plan.model))


def _plan_table(plans: list[PullPlan]) -> Table:
    rows = [
        (plan.model, size(plan.download_bytes), size(plan.disk_needed_bytes), size(plan.memory_needed_bytes))
        for plan in plans
    ]
    free = ("free here", "", size(plans[0].disk_free_bytes), size(plans[0].memory_available_bytes))
    columns = ("to pull", "download", "disk", "memory to convert")
    return make_table(columns, [*rows, free], columns[1:])


def _pull_one(store: ModelStore, name: str, *, had_it: bool) -> Manifest:
    console = to_people()
    with _progress(console, name) as progress:
        manifest = store.pull(name, progress)
    if not had_it:
        console.print(f"✓ {name}: sha256 as on the card, {taken(manifest)}", style="green", markup=False)
    return manifest


def taken(manifest: Manifest) -> str:
    """What the installed files take, and what making them took."""
    parts = [f"{size(manifest.size_bytes)} on disk"]
    if manifest.conversion_s is not None:
        parts.append(f"converted in {seconds(manifest.conversion_s)}")
    if manifest.peak_memory_bytes is not None:
        parts.append(f"peak memory {size(manifest.peak_memory_bytes)}")
    return ", ".join(parts)


@contextmanager
def _progress(console: Console, name: str) -> Iterator[Progress]:
    if not sys.stderr.isatty():
        yield _Lines(console, name)
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(24),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task(name, total=None, figures="")

        def show(event: PullEvent) -> None:
            if event.stage in ("plan", "done"):
                return
            bar.update(
                task,
                description=f"{name}: {_doing(event, short=True)}",
                total=event.total,
                completed=event.done or 0,
                figures=_figures(event),
            )

        yield show


class _Lines:
    """One line for a new stage or text, and one for every tenth of the bytes. Numbered steps count as one."""

    def __init__(self, console: Console, name: str) -> None:
        self._console = console
        self._name = name
        self._told: set[object] = set()

    def __call__(self, event: PullEvent) -> None:
        if event.stage in ("plan", "done"):
            return
        tenth = int(TENTHS * (event.done or 0) / event.total) if event.total else 0
        mark = (event.stage, tenth if event.stage == "download" else _NUMBER.sub("", event.text))
        if mark not in self._told:
            self._told.add(mark)
            line = f"{self._name}: {_doing(event)} {_figures(event)}"
            self._console.print(line.rstrip(), markup=False)


def _doing(event: PullEvent, *, short: bool = False) -> str:
    if event.stage == "download":
        return "download"
    if event.stage == "wait":
        return event.text
    return event.stage if short else f"{event.stage} {event.text}"


def _figures(event: PullEvent) -> str:
    if event.total is None:
        return ""
    if event.stage == "download":
        return f"{size(event.done)} of {size(event.total)}"
    return f"{event.done or 0} of {event.total}"
