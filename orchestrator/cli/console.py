"""How things look: consoles, tables, figures with units. Machines get JSON; people get aligned text.

Results go to stdout; progress, questions and errors go to stderr, so that a pipe carries only the result.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

# A column is as wide as its longest word, up to here.
_LONGEST_WORD = 24
# Wide enough that a table in a pipe is never folded.
PIPE_WIDTH = 10_000


def to_stdout() -> Console:
    """The console for results."""
    from rich.console import Console

    return Console(soft_wrap=False, highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def to_people() -> Console:
    """The console for progress, questions and errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PIPE_WIDTH)


def print_json(value: Any) -> None:
    """One JSON document on stdout. Pydantic models, tuples, sets and paths are written as data."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False))


def plain(value: Any) -> Any:
    """The same value, made of what JSON knows."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value, by_alias=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """A table without vertical lines. `right` names the columns that hold figures."""
    _print_block(make_table(columns, rows, right))


def make_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[str]) -> Table:
    """The table itself, for a console of one's own choice."""
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold"
    )
    cells = [[_cell(value) for value in row] for row in rows]
    for number, column in enumerate(columns):
        figures = column in right
        # A name stays whole, so that it can be copied; the last columns give way, but not within a word.
        whole = figures or number == 0
        justify: Literal["left", "right"] = "right" if figures else "left"
        words = [*column.split(), *(word for row in cells for word in row[number].plain.split())]
        width = min(max(map(len, words), default=0), _LONGEST_WORD)
        table.add_column(column, justify=justify, no_wrap=whole, overflow="fold", min_width=width)
    for row in cells:
        table.add_row(*row)
    return table


def _cell(value: Any) -> Text:
    from rich.text import Text

    from orchestrator.cli.visible import visible

    return value if isinstance(value, Text) else Text(visible("" if value is None else str(value)))


def print_value(value: Any) -> None:
    """An answer: for people as text, down a pipe as it is (text) or as JSON."""
    if sys.stdout.isatty():
        from orchestrator.cli.visible import as_text

        to_stdout().print(as_text(value), markup=False, highlight=False)
    elif isinstance(value, str):
        print(value)
    else:
        print_json(value)


def print_barred(console: Console, value: Any, *, indent: int = 0) -> None:
    """Somebody else's text with a bar before every line, also before those that the width makes."""
    from rich.text import Text

    from orchestrator.cli.visible import as_text

    for line in as_text(value, indent).strip("\n").split("\n"):
        for piece in Text(line).wrap(console, max(console.width - 4, 20)) or [Text()]:
            console.print(Text("│ ", style="dim").append_text(piece))


def complain(message: str, hint: str | None = None) -> None:
    """What went wrong, in red on stderr, and what to type next."""
    from orchestrator.cli.visible import visible

    console = to_people()
    console.print(visible(message), style="red", markup=False)
    if hint:
        console.print(visible(hint), markup=False)


# --- figures --------------------------------------------------------------------------------------------


def size(count: float | None) -> str:
    """Bytes for people, decimal as disks and downloads are sold."""
    if count is None:
        return "?"
    for unit in ("B", "kB", "MB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def seconds(value: float | None) -> str:
    if value is None:
        return "?"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 100:
        return f"{value:.1f} s"
    return f"{int(value) // 60} min {int(value) % 60:02d} s"


def number(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def moment(value: str) -> str:
    """An ISO time as local date and minute."""
    try:
        return datetime.fromisoformat(value).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return value


def ago(value: str) -> str:
    """An ISO time as how long that is ago, in the largest unit that fits."""
    passed = (datetime.now(UTC) - datetime.fromisoformat(value)).total_seconds()
    for unit, length_s in (("d", 86400), ("h", 3600), ("min", 60)):
        if passed >= length_s:
            return f"{passed / length_s:.0f} {unit}"
    return f"{max(passed, 0):.0f} s"


def first_line(text: str, limit: int = 100) -> str:
    """The head of a text, on one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def count(many: int, noun: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{many:,} {noun}" if many == 1 else f"{many:,} {noun}s"


def print_pairs(pairs: Iterable[tuple[str, Any]], *, indent: int = 0) -> None:
    """One thing, as `name  value` lines; a value of several lines stays under its first. None is left out."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from orchestrator.cli.visible import visible

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold" if not indent else "dim", no_wrap=True, min_width=8)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None:
            grid.add_row(name, Text(visible(str(value))))
    _print_block(Padding(grid, (0, 0, 0, indent), expand=False))


def _print_block(block: Any) -> None:
    """Print columns; down a pipe without the spaces that only fill the last one."""
    console = to_stdout()
    if sys.stdout.isatty():
        console.print(block)
        return
    with console.capture() as caught:
        console.print(block)
    print("\n".join(line.rstrip() for line in caught.get().rstrip("\n").split("\n")))
