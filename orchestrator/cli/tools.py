"""`lilliput tools`: the functions that agents and plans may call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.door import JsonOption, WorkspaceOption, open_door, open_listing

if TYPE_CHECKING:
    from orchestrator.bench.statistics import Interval
    from orchestrator.cli.door import Door
    from orchestrator.learning.tool_trial import ToolCard
    from orchestrator.types import ToolSpec

app = typer.Typer(help="Functions that agents and plans may call.", no_args_is_help=True)


@app.command("list")
def list_tools(as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """List the tools, and which of them change something (`write` asks first)."""
    from orchestrator.cli.console import first_line, print_json, print_table
    from orchestrator.tools import load_toolbox

    specs = load_toolbox(open_listing(workspace).workspace.tool_files).specs
    if as_json:
        return print_json(list(specs.values()))
    by_name = sorted(specs.values(), key=lambda tool: tool.name)
    rows = [(tool.name, tool.effect, first_line(tool.description)) for tool in by_name]
    return print_table(("tool", "effect", "what it does"), rows)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A Python file of functions with @tool.")],
    requests: Annotated[
        int, typer.Option("--requests", min=1, max=100, help="How many to invent for each tool.")
    ] = 12,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Add tools, and say from invented requests how well each is chosen and filled in. Nothing is trained."""
    import anyio

    from orchestrator.cli.console import print_json
    from orchestrator.learning.adding import added, new_tools

    door = open_door(workspace)
    tools = new_tools(door.workspace, file)
    cards = anyio.run(_cards, door, tools, requests)
    added(door.workspace, door.settings, file, cards)
    if as_json:
        return print_json(cards)
    for card in cards:
        _tell(card)
    return None


async def _cards(door: Door, tools: list[ToolSpec], requests: int) -> list[ToolCard]:
    from orchestrator.cli.learn_shown import tell_row
    from orchestrator.controller import open_controller
    from orchestrator.learning.adding import others_than
    from orchestrator.learning.tool_trial import try_tool

    async with open_controller(door.workspace, door.settings) as controller:
        return [
            await try_tool(
                controller,
                tool,
                others_than(door.workspace, tool, tools),
                requests,
                tell_row,
                door.settings.machine,
            )
            for tool in tools
        ]


def _tell(card: ToolCard) -> None:
    from orchestrator.cli.console import number, print_pairs, seconds

    instead = ", ".join(f"{name} ({many})" for name, many in card.took_instead.items()) or "none"
    joules = f"{number(card.energy_j)} ({card.energy_source})" if card.energy_j is not None else "not known"
    print_pairs(
        [
            ("tool", f"{card.tool}, among {card.among}"),
            ("requests", f"{card.n} of {card.invented} that {card.made_by} invented could be used"),
            ("chosen", _share(card.chosen, card.n, card.chosen_interval)),
            ("call right", _share(card.called, card.n, card.called_interval)),
            ("taken instead", instead),
            ("p50", seconds(card.latency_p50_s)),
            ("joules", joules),
            *(("missed", f"{miss.text} -> {miss.called}") for miss in card.misses),
        ]
    )


def _share(right: int, n: int, interval: Interval) -> str:
    return f"{right} of {n} ({100 * interval.low:.0f} to {100 * interval.high:.0f} %)"
