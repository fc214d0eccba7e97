"""`lilliput agents`: what the crew can do, and whether each of its own examples still comes out right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import FAILED
from orchestrator.cli.door import JsonOption, WorkspaceOption, open_door, open_listing

if TYPE_CHECKING:
    from orchestrator.types import AgentSpec

app = typer.Typer(help="Specialists, one for each kind of subtask.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="An agent of `lilliput agents list`.")]


@app.command("list")
def list_agents(as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """List the agents of this workspace."""
    from orchestrator.cli.console import first_line, print_json, print_table

    specs = [entry.spec for entry in open_listing(workspace).workspace.agents.values()]
    if as_json:
        return print_json(specs)
    rows = [(spec.name, _answered_by(spec), first_line(spec.description)) for spec in specs]
    return print_table(("agent", "needs", "what it does"), rows)


@app.command()
def show(name: Name, as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """Show one agent: its inputs, output, prompt and checks."""
    from orchestrator.agent import load_agent
    from orchestrator.cli.console import print_json, print_pairs
    from orchestrator.cli.schema import inputs_of, schema_text

    place = open_door(workspace).workspace
    spec = place.agent(name)
    if as_json:
        return print_json(spec)
    load_agent(place.agents[name])
    folder = place.agents[name].folder
    pairs: list[tuple[str, Any]] = [
        ("agent", spec.name),
        ("does", spec.description),
        ("needs", _answered_by(spec)),
        ("inputs", inputs_of(spec.input)),
        ("output", f"the schema in `{spec.output_from}`" if spec.output_from else schema_text(spec.output)),
        ("models", ", ".join(spec.models) or None),
        ("untrusted", ", ".join(spec.untrusted_inputs) or None),
        ("system", spec.system),
        ("user", spec.user),
        ("files", ", ".join(sorted(file.name for file in folder.iterdir() if file.is_file()))),
        ("folder", folder),
    ]
    return print_pairs(pairs)


@app.command("test")
def try_agents(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One agent; without it, all.")] = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run the agents' own examples, and say which do not come out right any more (exit 1)."""
    from orchestrator.cli.console import print_json
    from orchestrator.cli.examples import print_tried, try_examples

    tried = try_examples(open_door(workspace), name)
    if as_json:
        print_json(tried)
    else:
        print_tried(tried)
    raise typer.Exit(FAILED if any(item.problem for item in tried) else 0)


def _answered_by(spec: AgentSpec) -> str:
    return ", ".join(sorted(spec.needs)) or "code only"
