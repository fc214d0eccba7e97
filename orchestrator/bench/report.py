"""A demo report for people: one table, one sentence, and the same as a picture.

Nothing is printed here; the CLI does that. Figures that are not known are shown as a dash, never as 0.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.bench.statistics import Interval
from orchestrator.bench.summary import ArmSummary, Comparison, conclusion

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

Cell = Callable[[ArmSummary], str]
PICTURE_COLUMNS = 88
_UNKNOWN = "–"
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def comparison_table(title: str, arms: tuple[ArmSummary, ...], comparison: Comparison) -> Table:
    """One column per arm; success first, then what it cost, then the paired cells."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    table.add_column("")
    for arm in arms:
        table.add_column(arm.arm, justify="right")
    for group in (_success_rows(arms), _COST_ROWS, _pair_rows(comparison)):
        for name, cell in group:
            table.add_row(name, *(cell(arm) for arm in arms))
        table.add_section()
    return table


def full_report(
    title: str, arms: tuple[ArmSummary, ...], comparison: Comparison, notes: str
) -> RenderableType:
    """The table, the sentence under it, and what must be known about the data."""
    from rich.console import Group
    from rich.text import Text

    table = comparison_table(title, arms, comparison)
    return Group(table, Text(conclusion(comparison)), Text(f"\n{notes.strip()}", style="dim"))


def picture(report: RenderableType, title: str) -> str:
    """The report as SVG, for a README. It names no address to fetch a font from; any monospace will do."""
    from rich.console import Console

    console = Console(record=True, width=PICTURE_COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(report)
    return _FONT_FACE.sub("", console.export_svg(title=title))


def _success_rows(arms: tuple[ArmSummary, ...]) -> list[tuple[str, Cell]]:
    def solved_in(category: str) -> Cell:
        return lambda arm: next(f"{f.solved} / {f.n}" for f in arm.families if f.category == category)

    families: list[tuple[str, Cell]] = [
        (f"  {family.category}", solved_in(family.category)) for family in arms[0].families
    ]
    return [
        ("solved (official checker)", _solved),
        ("  95 % interval", _interval),
        *families,
        ("runs that ended without an answer", lambda arm: str(arm.failed_runs)),
        ("  counted as solved, no call due", lambda arm: str(arm.failed_but_solved)),
    ]


def _pair_rows(comparison: Comparison) -> list[tuple[str, Cell]]:
    pairs = comparison.pairs
    only = {comparison.first: pairs.only_first, comparison.second: pairs.only_second}
    return [
        ("solved by both", lambda arm: str(pairs.both)),
        ("solved by this one only", lambda arm: str(only.get(arm.arm, _UNKNOWN))),
        ("solved by neither", lambda arm: str(pairs.neither)),
    ]


def _solved(arm: ArmSummary) -> str:
    return _UNKNOWN if arm.success is None else f"{arm.solved} / {arm.n} = {100 * arm.success:.0f} %"


def _interval(arm: ArmSummary) -> str:
    return _percents(arm.interval)


def _percents(interval: Interval) -> str:
    return f"{100 * interval.low:.0f} to {100 * interval.high:.0f} %"


def _calls(arm: ArmSummary) -> str:
    return "\n".join(f"{model} {calls}" for model, calls in arm.calls_by_model.items()) or "0"


def _joules(arm: ArmSummary) -> str:
    return f"{_number(arm.energy_j)} ({arm.energy_source})" if arm.energy_source else _UNKNOWN


def _idle_joules(arm: ArmSummary) -> str:
    # Idle energy is always watts from the machine file times seconds.
    return _UNKNOWN if arm.idle_energy_j is None else f"{_number(arm.idle_energy_j)} (modelled)"


def _seconds(value: float | None) -> str:
    if value is None:
        return _UNKNOWN
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def _number(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:,.0f}"


_COST_ROWS: list[tuple[str, Cell]] = [
    ("time per case, median", lambda arm: _seconds(arm.latency_p50_s)),
    ("time per case, p95", lambda arm: _seconds(arm.latency_p95_s)),
    ("tokens read", lambda arm: _number(arm.prompt_tokens)),
    ("tokens written", lambda arm: _number(arm.completion_tokens)),
    ("calls by model", _calls),
    ("joules of the calls", _joules),
    ("joules of the idle machine meanwhile", _idle_joules),
]
