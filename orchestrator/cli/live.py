"""The live view of a run on a terminal: the plan as a tree, redrawn in place, until the run ends.

It draws on stderr, so that the answer on stdout can go down a pipe. Redrawing costs CPU that is charged to
the calls that are open, so it is done four times a second and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.cli.console import seconds, to_people
from orchestrator.cli.progress import MARKS, Row, RunState, totals
from orchestrator.cli.visible import visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, Group, RenderResult
    from rich.live import Live
    from rich.text import Text

    from orchestrator.types import Event

REDRAWS_PER_S = 4
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
STYLES = {
    "working": "cyan",
    "asking": "yellow",
    "waiting": "yellow",
    "completed": "green",
    "failed": "red",
    "denied": "red",
}
TOKENS, TIME = 10, 9


class LiveView:
    """Shows a run while it happens. Use `with view.shown():` around the loop that feeds it events."""

    def __init__(self, state: RunState, console: Console | None = None) -> None:
        self.state = state
        self.console = console or to_people()
        self._live = self._new()

    def see(self, event: Event) -> None:
        self.state.see(event)

    @contextmanager
    def shown(self) -> Iterator[None]:
        self._live.start(refresh=True)
        try:
            yield
        finally:
            self._live.stop()
        self.console.print(totals(self.state), style="dim", markup=False)

    @contextmanager
    def put_aside(self) -> Iterator[Console]:
        """Take the drawing off the screen while a person is asked something; draw again below that."""
        self._live.transient = True
        self._live.stop()
        try:
            yield self.console
        finally:
            self._live = self._new()
            self._live.start(refresh=True)

    def _new(self) -> Live:
        from rich.live import Live

        return Live(
            get_renderable=lambda: Tree(self.state), console=self.console, refresh_per_second=REDRAWS_PER_S
        )


class Tree:
    """One drawing of a run, as wide as the console."""

    def __init__(self, state: RunState) -> None:
        self.state = state

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # Two columns stay free: the terminal echoes ^C there, and a line that is full would push it down.
        yield draw(self.state, min(options.max_width, 120) - 2)


def draw(state: RunState, width: int) -> Group:
    """The plan as a tree; under each subtask what was refused, and what is being written now."""
    from rich.console import Group

    if not state.stages:
        return Group(_head(state, width))
    lines = [_head(state, width)]
    columns = _columns(state)
    last = len(state.stages) - 1
    for number, stage in enumerate(state.stages):
        guide, under = ("└─ ", "   ") if number == last else ("├─ ", "│  ")
        if len(stage) == 1:
            lines += _row(state, stage[0], guide, under, columns, width)
            continue
        lines.append(_text((f"{guide}together", "dim")))
        for place, name in enumerate(stage):
            inner, below = ("└─ ", "   ") if place == len(stage) - 1 else ("├─ ", "│  ")
            lines += _row(state, name, under + inner, under + below, columns, width)
    return Group(*lines)


def _head(state: RunState, width: int) -> Text:
    right = seconds(state.elapsed_s).rjust(TIME)
    if not state.stages:
        writing = " ".join(visible(state.planning).split())
        doing = f"planning: …{writing[-(width - 40) :]}" if writing else "planning"
        return _line(_text((state.title, "bold"), (f"  {doing}", "dim")), _text(right), width)
    return _line(_text((state.title, "bold")), _text(right), width)


def _columns(state: RunState) -> tuple[int, int]:
    """Width of the ids with their guides, and of who answers."""
    deep = {name for stage in state.stages if len(stage) > 1 for name in stage}
    names = max(len(name) + (8 if name in deep else 5) for name in state.rows)
    return min(names, 26), min(max(len(row.by) for row in state.rows.values()), 24)


def _row(
    state: RunState, name: str, guide: str, under: str, columns: tuple[int, int], width: int
) -> list[Text]:
    row = state.rows[name]
    style = STYLES.get(row.state, "dim")
    mark = _spin(state) if row.state == "working" else MARKS[row.state]
    quiet = row.state in ("todo", "skipped")
    left = _text((guide, "dim"), (f"{mark} ", style), (name, "dim" if quiet else ""))
    _pad(left, columns[0])
    left.append("  ").append(row.by, style="dim" if quiet else style)
    _pad(left, columns[0] + 2 + columns[1])
    left.append("  ").append(visible(row.why), style="dim")
    lines = [_line(left, _figures(state, row), width)]
    for note in row.notes:
        lines.append(_cut(_text((under, "dim"), ("  ", ""), (_flat(note), "yellow")), width))
    if row.writing:
        room = width - len(under) - 4
        lines.append(_text((under, "dim"), ("  ", ""), (_flat(row.writing)[-room:], "italic dim")))
    return lines


def _figures(state: RunState, row: Row) -> Text:
    spent = state.running_s(row)
    tokens = f"{row.tokens:,} tok" if row.tokens else ""
    return _text((tokens.rjust(TOKENS), "dim"), (("" if spent is None else seconds(spent)).rjust(TIME), ""))


def _spin(state: RunState) -> str:
    return SPINNER[int(state.elapsed_s * REDRAWS_PER_S * 2) % len(SPINNER)]


def _flat(text: str) -> str:
    return " ".join(visible(text).split())


def _line(left: Text, right: Text, width: int) -> Text:
    """`left` cut to make room, then `right` against the edge."""
    room = width - right.cell_len - 1
    left = _cut(left, room)
    _pad(left, room)
    return left.append(" ").append_text(right)


def _cut(text: Text, width: int) -> Text:
    text.truncate(width, overflow="ellipsis")
    return text


def _pad(text: Text, width: int) -> None:
    text.append(" " * max(0, width - text.cell_len))


def _text(*parts: tuple[str, str] | str) -> Text:
    from rich.text import Text

    return Text.assemble(*parts, no_wrap=True, overflow="crop")
