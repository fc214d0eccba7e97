"""`lilliput bench`: the same work through several arms, and what may be concluded from it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import bench_records
from orchestrator.cli.door import JsonOption, WorkspaceOption, open_door

if TYPE_CHECKING:
    from orchestrator.bench.arms import Estimate, OnOutcome, Outcome
    from orchestrator.bench.load import Load
    from orchestrator.bench.record import BenchRecord
    from orchestrator.bench.running import Bench
    from orchestrator.bench.verdict import Verdict

app = typer.Typer(help="Benchmarks: small models against a larger one.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="A benchmark of `lilliput bench list`.")]
Cases = Annotated[
    int | None, typer.Option("-n", "--cases", min=1, help="At most so many cases of each family.")
]


@app.command("list")
def list_benchmarks(as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """List the benchmarks: their data set, families and arms."""
    from orchestrator.bench.spec import all_benchmarks
    from orchestrator.cli.console import print_json, print_table

    found = all_benchmarks(open_door(workspace).workspace.roots)
    if as_json:
        return print_json(found)
    rows = [
        (
            spec.name,
            spec.dataset_name,
            ", ".join(f.category for f in spec.families),
            ", ".join(a.name for a in spec.arms),
        )
        for spec in found
    ]
    return print_table(("benchmark", "data set", "families", "arms"), rows)


@app.command()
def run(
    name: Name,
    cases: Cases = None,
    arm: Annotated[list[str] | None, typer.Option("--arm", help="Only this arm; may be repeated.")] = None,
    category: Annotated[
        str | None,
        typer.Option("--category", help="Cases of this category instead, such as dev; keeps no record."),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="All cases of its families, not those declared; keeps no record.")
    ] = False,
    remark: Annotated[
        str | None, typer.Option("--remark", help="For the record: what no meter tells, e.g. other load.")
    ] = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run a benchmark from where it was stopped, and rule on it.

    It fetches the models that it names, and may be killed at any moment.
    """
    from orchestrator.cli.console import print_json, to_people

    bench = _open(workspace, name, cases, category, whole=whole)
    record = _run(bench, arm or [], remark)
    written = [] if category or whole else _keep(bench, record)
    if as_json:
        return print_json(record)
    _print(record)
    for file in written:
        to_people().print(f"Written: {file}", markup=False, highlight=False)
    return None


@app.command()
def suite(
    name: Annotated[str, typer.Argument(help="benchmarks/NAME.yaml, which lists them.")] = "suite",
    cases: Cases = None,
    remark: Annotated[str | None, typer.Option("--remark", help="For the records.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run all benchmarks that belong together.

    What cannot run says why, and the others run.
    """
    from orchestrator.bench.suite import read_suite
    from orchestrator.cli.console import complain, to_people
    from orchestrator.errors import LilliputError

    for each in read_suite(open_door(workspace).workspace.roots, name):
        to_people().print(f"\n{each}", style="bold", markup=False)
        try:
            bench = _open(workspace, each, cases)
            record = _run(bench, [], remark)
            _keep(bench, record)
        except LilliputError as error:
            complain(f"{each} is left out: {error.message}", error.hint)
        else:
            _print(record)
    bench_records.report(None, Path("report.html"), None, workspace)


@app.command()
def verdict(
    name: Name, cases: Cases = None, as_json: JsonOption = False, workspace: WorkspaceOption = None
) -> None:
    """Say what the outcomes so far show, without running anything."""
    from orchestrator.cli.console import print_json

    bench = _open(workspace, name, cases)
    models = bench.models()
    record = bench.record(models, bench.ledger(models))
    return print_json(record) if as_json else _print(record)


@app.command()
def load(
    name: Name,
    arm: Annotated[str, typer.Option("--arm", help="The arm to put under load.")],
    pattern: Annotated[
        str, typer.Option("--pattern", help="single-stream, offline or poisson.")
    ] = "single-stream",
    rate: Annotated[float | None, typer.Option("--rate", help="Cases a second, for poisson.")] = None,
    goal: Annotated[
        float | None, typer.Option("--goal", help="Seconds; goodput counts answers within.")
    ] = None,
    cases: Cases = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Time an arm under load, with cases that arrive by a pattern."""
    import anyio

    from orchestrator.cli.console import print_json, print_table, seconds

    bench = _open(workspace, name, cases)
    load = _load(pattern, rate, goal)
    _bring_models(bench)
    found = anyio.run(bench.load, arm, load)
    if as_json:
        return print_json(found)
    columns = (
        "arm",
        "pattern",
        "n",
        "failed",
        "p50",
        "p95",
        "p99",
        "waiting",
        "a second",
        "in time a second",
    )
    times = (found.latency_p50_s, found.latency_p95_s, found.latency_p99_s, found.queue_p50_s)
    rates = (found.throughput_per_s, found.goodput_per_s)
    row = (
        found.arm,
        _pattern(load),
        str(found.n),
        str(found.failed),
        *map(seconds, times),
        *map(_rate, rates),
    )
    return print_table(columns, [row], right=columns[2:])


@app.command()
def rows(
    name: Name,
    out: Annotated[Path, typer.Option("--out", "-o", help="The .jsonl file to write.")],
    dev: Annotated[str, typer.Option("--dev", help="The category of cases to choose by.")] = "dev",
    workspace: WorkspaceOption = None,
) -> None:
    """Write a benchmark's rows with their splits, for `lilliput learn run --file`."""
    import json

    from orchestrator.cli.console import to_people
    from orchestrator.store.files import replace_text

    found = _open(workspace, name, None).rows(dev)
    replace_text(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found))
    to_people().print(f"{len(found):,} rows: {out}", markup=False, highlight=False)


for _command in ("report", "compare", "publish", "export", "table", "risk", "routers"):
    app.command()(getattr(bench_records, _command))


def _run(bench: Bench, arms: list[str], remark: str | None) -> BenchRecord:
    import anyio

    _bring_models(bench)
    with _shown() as on_case:
        ledger = anyio.run(bench.run, on_case, arms, _tell_estimate, _tell_wait)
    return bench.record(bench.models(), ledger, remark)


def _open(
    workspace: Path | None,
    name: str,
    cases: int | None,
    category: str | None = None,
    *,
    whole: bool = False,
) -> Bench:
    from orchestrator.bench.running import Bench

    door = open_door(workspace)
    return Bench(door.workspace, door.settings, name, cases, category=category, whole=whole)


def _bring_models(bench: Bench) -> None:
    """Pull what the benchmark needs and is not here."""
    from orchestrator.bench.spec import pinned_models
    from orchestrator.cli.door import Door
    from orchestrator.cli.pulling import pull_all
    from orchestrator.settings import LoadedSettings

    store = bench.store()
    absent = [name for name in pinned_models(bench.benchmark) if store.state(name) != "installed"]
    if absent:
        pull_all(Door(bench.workspace, LoadedSettings(settings=bench.settings, origins={})), absent)


def _tell_estimate(estimate: Estimate) -> None:
    from orchestrator.cli.console import seconds, to_people

    by_arm = ", ".join(f"{arm} {seconds(a_case)}" for arm, a_case in estimate.case_s.items())
    said = f"{estimate.left:,} runs to do, about {seconds(estimate.total_s)} (a case: {by_arm})."
    to_people().print(said, markup=False, highlight=False)


def _tell_wait() -> None:
    from orchestrator.cli.console import to_people

    to_people().print("Another process runs this benchmark; waiting until it is done.", markup=False)


def _keep(bench: Bench, record: BenchRecord) -> list[Path]:
    """The record, and the report where what draws it is installed."""
    from orchestrator.bench.html import render
    from orchestrator.bench.library import records_folder
    from orchestrator.bench.origin import write_record
    from orchestrator.cli.console import complain
    from orchestrator.errors import UserError
    from orchestrator.store.files import replace_text

    folder = records_folder(bench.settings, bench.benchmark.name)
    written = [write_record(record, folder)]
    try:
        page = render([record], title=record.benchmark.description)
    except UserError as missing:
        complain(missing.message, missing.hint)
        return written
    file = written[0].with_suffix(".html")
    replace_text(file, page)
    return [*written, file]


@contextmanager
def _shown() -> Iterator[OnOutcome]:
    """A bar with the time left on a terminal, and a line for each outcome elsewhere."""
    from orchestrator.cli.console import first_line, seconds, to_people

    console = to_people()
    if not sys.stderr.isatty():

        def tell(done: int, total: int, outcome: Outcome) -> None:
            mark = "✓" if outcome.solved else "✗"
            line = f"[{done}/{total}] {mark} {outcome.arm} {outcome.case_id}, {seconds(outcome.latency_s)}"
            failed = f", {outcome.status}: {first_line(outcome.error)}" if outcome.error else ""
            console.print(line + failed, markup=False, highlight=False)

        yield tell
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(24), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("")

        def draw(done: int, total: int, outcome: Outcome) -> None:
            progress.update(task, completed=done, total=total, description=f"{outcome.arm} {outcome.case_id}")

        yield draw


def _print(record: BenchRecord) -> None:
    from orchestrator.cli.console import number, print_table, seconds, to_stdout

    console = to_stdout()
    if record.remark:
        console.print(record.remark, markup=False)
    if record.unscored:
        console.print(f"{record.unscored} of {record.scored + record.unscored} outcomes are still missing.")
    rows = [
        (
            figure.family,
            figure.summary.arm,
            str(figure.summary.n),
            f"{100 * figure.summary.mean_grade:.1f} %",
            seconds(figure.summary.latency_p50_s),
            number(figure.joules_a_case),
            ", ".join(f"{name} {value:.3f}" for name, value in figure.metrics.items()),
        )
        for figure in record.figures
    ]
    columns = ("family", "arm", "n", "solved", "median", "J a case", "also")
    print_table(columns, rows, right=("n", "solved", "median", "J a case"))
    console.print()
    for figure in record.figures:
        if broken := figure.summary.failed_runs:
            console.print(_failures(record, figure.family, figure.summary.arm, broken), markup=False)
    for found in record.verdicts:
        console.print(_sentence(found), markup=False, highlight=False)


def _failures(record: BenchRecord, family: str, arm: str, many: int) -> str:
    """How many runs of an arm ended without an answer, and what the first of them said."""
    from orchestrator.cli.console import count, first_line

    said = (o.error for o in record.outcomes if (o.category, o.arm) == (family, arm) and o.error)
    return f"{family}: {count(many, 'run')} of {arm} without an answer, such as: {first_line(next(said, ''))}"


def _sentence(found: Verdict) -> str:
    return (
        f"{found.family}: {found.ruling.upper()}. {found.candidate} {100 * found.candidate_rate:.1f} %, "
        f"{found.reference} {100 * found.reference_rate:.1f} %, n = {found.difference.n}; {found.reason}."
    )


def _load(pattern: str, rate: float | None, goal: float | None) -> Load:
    from pydantic import ValidationError

    from orchestrator.bench.load import Load, insist_on_rate
    from orchestrator.errors import InvalidInput

    try:
        load = Load.model_validate({"pattern": pattern, "rate_per_s": rate, "goal_s": goal})
    except ValidationError as error:
        wrong = {"pattern": "--pattern", "rate_per_s": "--rate", "goal_s": "--goal"}[
            str(error.errors()[0]["loc"][0])
        ]
        raise InvalidInput(
            f"{wrong}: {error.errors()[0]['msg']}.",
            hint="--pattern single-stream, offline or poisson; --rate and --goal are finite and above 0.",
        ) from None
    insist_on_rate(load)
    return load


def _pattern(load: Load) -> str:
    return load.pattern if load.rate_per_s is None else f"{load.pattern}, {load.rate_per_s:g} a second"


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
