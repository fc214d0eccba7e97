"""`lilliput bench report | compare | publish | export`: what is done with records that are there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.door import JsonOption, WorkspaceOption, open_door

if TYPE_CHECKING:
    from orchestrator.bench.record import BenchRecord
    from orchestrator.bench.risk import Risk, ShiftFound
    from orchestrator.bench.router_study import Paired, StudiedFamily
    from orchestrator.cli.door import Door

_ENCODER, _SEED = "minilm-l6", 1  # of the study of routers
Which = Annotated[
    str, typer.Argument(metavar="NAME", help="A benchmark, for its newest record, or a .json file.")
]


def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Benchmarks or .json files; all of one's own without any."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file to write.")] = Path("report.html"),
    price: Annotated[
        str | None,
        typer.Option(
            "--price", metavar="IN,OUT", help="USD a million tokens of a remote model, for the break-even."
        ),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write one HTML page over the newest records; it opens offline."""
    from orchestrator.bench.html import render
    from orchestrator.cli.console import to_people
    from orchestrator.store.files import replace_text

    page = render(_chosen(open_door(workspace), names), price=_price(price))
    replace_text(out, page)
    to_people().print(f"Report: {out}", markup=False, highlight=False)


def compare(
    first: Which, second: Which, as_json: JsonOption = False, workspace: WorkspaceOption = None
) -> None:
    """Compare two records of one benchmark: machines, commits, days."""
    from orchestrator.bench.comparing import changes, differing
    from orchestrator.cli.console import print_json, print_table, to_stdout

    door = open_door(workspace)
    left, right = _find(door, first), _find(door, second)
    found, differences = changes(left, right), differing(left, right)
    if as_json:
        return print_json({"changes": found, "differences": differences})
    rows = [
        (
            change.family,
            change.arm,
            f"{change.identical} / {change.shared}",
            f"{100 * change.quality[0]:.1f} %",
            f"{100 * change.quality[1]:.1f} %",
            f"{100 * change.interval.low:+.1f} to {100 * change.interval.high:+.1f}",
            _times(change.latency_ratio),
            _times(change.energy_ratio),
        )
        for change in found
    ]
    columns = ("family", "arm", "same answer", "first", "second", "points (90 %)", "time", "energy")
    print_table(columns, rows, right=columns[2:])
    to_stdout().print()
    return print_table(("differs", "first", "second"), [(name, *pair) for name, pair in differences.items()])


def publish(name: Which, workspace: WorkspaceOption = None) -> None:
    """Write what a record says about each model, for routing.

    It goes into models/evidence/ of the strongest workspace.
    """
    from orchestrator.bench import evidence
    from orchestrator.cli.console import to_people
    from orchestrator.errors import UserError

    door = open_door(workspace)
    record = _find(door, name)
    written = evidence.publish(record, door.workspace)
    if not written:
        why = (
            f"{record.unscored} of its outcomes are missing"
            if record.unscored
            else "no arm is one agent on one smaller model with all declared cases, or there is newer"
        )
        raise UserError(f"The record of {record.benchmark.name!r} holds no evidence: {why}.")
    for file in written:
        to_people().print(f"Evidence: {file}", markup=False, highlight=False)


def table(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Benchmarks or .json files; all of one's own without any."),
    ] = None,
    into: Annotated[
        Path | None, typer.Option("--into", help="Put it between the two markers in this file.")
    ] = None,
    shipped: Annotated[
        bool, typer.Option("--shipped", help="From the records under benchmarks/*/results/ only.")
    ] = False,
    suite: Annotated[str, typer.Option(help="Of the benchmarks that benchmarks/SUITE.yaml lists.")] = "suite",
    workspace: WorkspaceOption = None,
) -> None:
    """Print the verdicts as a Markdown table."""
    from orchestrator.bench.library import shipped_records
    from orchestrator.bench.markdown import verdict_table, with_table
    from orchestrator.bench.suite import read_suite
    from orchestrator.cli.console import to_stdout
    from orchestrator.errors import UserError
    from orchestrator.store.files import replace_text

    door = open_door(workspace)
    records = shipped_records(door.workspace.roots) if shipped else _chosen(door, names)
    if not names:
        listed = read_suite(door.workspace.roots, suite)
        records = [record for record in records if record.benchmark.name in listed]
    if into is None:
        return to_stdout().print(verdict_table(records), markup=False, highlight=False, soft_wrap=True)
    try:
        replace_text(into, with_table(into.read_text("utf-8"), records, suite))
    except OSError as problem:
        raise UserError(
            f"{into} cannot be read: {problem.strerror}.", hint="Name a file that is there."
        ) from None
    except ValueError as problem:
        raise UserError(
            f"{into}: {problem}.", hint="Put the two markers where the table shall stand."
        ) from None
    return None


def export(
    name: Which,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write to.")] = Path("predictions"),
    workspace: WorkspaceOption = None,
) -> None:
    """Write what each arm answered as JSON lines, for another scorer."""
    from orchestrator.bench.library import export as write
    from orchestrator.cli.console import to_people

    for file in write(_find(open_door(workspace), name), out):
        to_people().print(f"Predictions: {file}", markup=False, highlight=False)


def _chosen(door: Door, names: list[str] | None) -> list[BenchRecord]:
    """Those that are named; else one's own; else those that came with it. Never a mix of two machines."""
    from orchestrator.bench.library import own_records, shipped_records
    from orchestrator.errors import UserError

    if names:
        return [_find(door, name) for name in names]
    found = own_records(door.settings) or shipped_records(door.workspace.roots)
    if not found:
        raise UserError("No benchmark has a record yet.", hint="Type: lilliput bench run bfcl-quick")
    return found


def _find(door: Door, name: str) -> BenchRecord:
    from orchestrator.bench.library import find_record

    return find_record(name, door.settings, door.workspace.roots)


def _price(text: str | None) -> tuple[float, float] | None:
    from orchestrator.errors import InvalidInput

    if text is None:
        return None
    parts = text.split(",")
    try:
        given, made = (float(part) for part in parts)
        if not (0 <= given < math.inf and 0 <= made < math.inf):
            raise ValueError
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no price.", hint="Two figures in USD a million tokens: --price 0.5,1.5"
        ) from None
    return given, made


def _times(ratio: float | None) -> str:
    return "–" if ratio is None else f"x {ratio:.2f}"


def risk(
    name: Which,
    arm: Annotated[str, typer.Option("--arm", help="Whose answers are accepted from a confidence on.")],
    max_wrong: Annotated[
        float, typer.Option("--max-wrong", min=0.1, max=50.0, help="Per cent of accepted answers.")
    ] = 5.0,
    splits: Annotated[int, typer.Option("--splits", min=1, help="How often to halve the answers.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Of the halves.")] = 1,
    shift: Annotated[
        str | None, typer.Option("--shift", metavar="NAME", help="Other work that the same arm answered.")
    ] = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Hold thresholds that are proven on half of a record's answers to the other half."""
    from orchestrator.bench.risk import outcomes_of, risk_of, shift_of
    from orchestrator.cli.console import print_json, print_pairs

    door = open_door(workspace)
    (record,) = _chosen(door, [name])
    outcomes = outcomes_of(record, arm)
    found = risk_of(arm, outcomes, max_wrong / 100, splits=splits, seed=seed)
    moved = None
    if shift:
        (other,) = _chosen(door, [shift])
        later = outcomes_of(other, arm)
        moved = shift_of(other.benchmark.name, outcomes, later, splits=splits, seed=seed)
    if as_json:
        return print_json({"risk": found.model_dump(), "shift": moved.model_dump() if moved else None})
    return print_pairs(_risk_pairs(found, moved))


def _risk_pairs(found: Risk, moved: ShiftFound | None) -> list[tuple[str, str]]:
    wrong = "-" if found.wrong is None else f"{100 * found.wrong:.1f} %"
    pairs = [
        ("arm", f"{found.arm}: {found.n:,} answers, {100 * found.right:.1f} % right"),
        ("promise", f"at most {100 * found.max_wrong:g} % of the accepted are wrong"),
        ("broken", f"in {found.violated} of {found.splits} halves; in {found.unproven} nothing was proven"),
        ("accepted", f"{100 * found.coverage:.0f} % of all; {wrong} of these were wrong"),
    ]
    if moved:
        after = "not in half of the cases" if moved.after is None else f"after {moved.after:.0f} answers"
        pairs.append(("alarm", f"{after} to {moved.other}; {moved.false_alarms} of {moved.splits} without"))
    return pairs


def routers(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Benchmarks or .json files; all of one's own without any."),
    ] = None,
    shipped: Annotated[
        bool, typer.Option("--shipped", help="From the records under benchmarks/*/results/ only.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A .json file to write it to.")] = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Compare routers between the small and the larger arm over records; needs the data sets."""
    import anyio

    from orchestrator.bench.environment import commit_of
    from orchestrator.bench.library import shipped_records
    from orchestrator.bench.router_study import Study, study
    from orchestrator.cli.console import print_json
    from orchestrator.records import utc_now
    from orchestrator.store.files import replace_text

    door = open_door(workspace)
    records = shipped_records(door.workspace.roots) if shipped else _chosen(door, names)
    found = Study(
        families=tuple(study(anyio.run(_paired, door, records), _SEED)),
        records={record.benchmark.name: record.made_at for record in records},
        encoder=_ENCODER,
        seed=_SEED,
        commit=commit_of(door.workspace.roots[0]),
        made_at=utc_now(),
    )
    if out:
        replace_text(out, found.model_dump_json(indent=1) + "\n")
    return print_json(found) if as_json else _print_routers(found.families)


async def _paired(door: Door, records: list[BenchRecord]) -> list[Paired]:
    """Records whose data set is not here are left out, and said."""
    from orchestrator.bench.router_study import paired
    from orchestrator.bench.running import Bench
    from orchestrator.cli.console import complain
    from orchestrator.errors import LilliputError
    from orchestrator.learning.training import embedded

    found = []
    for record in records:
        name = record.benchmark.name
        try:
            texts = Bench(door.workspace, door.settings, name).texts()
            store = door.store()
            vectors = await embedded(list(texts.values()), _ENCODER, store, door.settings)
        except LilliputError as error:
            complain(f"{name} is left out: {error.message}", error.hint)
            continue
        found += paired(record, dict(zip(texts, vectors, strict=True)))
    return found


def _print_routers(families: Sequence[StudiedFamily]) -> None:
    from orchestrator.cli.console import print_table

    rows = [
        (
            f"{family.family} ({family.n})",
            row.name,
            f"{row.apgr:.2f} ({row.apgr_interval.low:.2f} to {row.apgr_interval.high:.2f})",
            _per_cent(row.cpt_50),
            _per_cent(row.cpt_80),
            _per_cent(row.saved),
        )
        for family in families
        for row in family.rows
    ]
    columns = ("family (n)", "router", "APGR", "CPT(50 %)", "CPT(80 %)", "time saved")
    print_table(columns, rows, right=columns[2:])


def _per_cent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"
