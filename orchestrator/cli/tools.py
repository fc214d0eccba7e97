"""`lilliput tools`: the functions that agents and plans may call."""

from __future__ import annotations

import typer

from orchestrator.cli.door import JsonOption, WorkspaceOption, open_listing

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
