"""`lilliput workflows`: the declared plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.door import JsonOption, WorkspaceOption, open_door

if TYPE_CHECKING:
    from orchestrator.types import WorkflowSpec

app = typer.Typer(
    help="Declared plans: which agents and tools work on a task, in which order.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="A workflow of `lilliput workflows list`.")]


@app.command("list")
def list_workflows(as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """List the workflows of this workspace."""
    from orchestrator.cli.console import first_line, print_json, print_table

    specs = [entry.spec for entry in open_door(workspace).workspace.workflows.values()]
    if as_json:
        return print_json(specs)
    rows = [(spec.name, len(spec.steps), first_line(spec.description)) for spec in specs]
    return print_table(("workflow", "subtasks", "what it does"), rows, right=("subtasks",))


@app.command()
def show(name: Name, as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """Show one workflow: its inputs, its subtasks in order, and an example."""
    from orchestrator.cli.console import print_json, print_pairs
    from orchestrator.cli.schema import inputs_of

    place = open_door(workspace).workspace
    spec = place.workflow(name)
    if as_json:
        return print_json(spec)
    return print_pairs(
        [
            ("workflow", spec.name),
            ("does", spec.description),
            ("inputs", inputs_of(spec.input)),
            ("subtasks", "\n".join(_subtasks(spec))),
            ("try", _example(spec)),
            ("file", place.workflows[name].file),
        ]
    )


def _subtasks(spec: WorkflowSpec) -> list[str]:
    from orchestrator.planning import needs

    width = max(len(step.id) for step in spec.steps)
    lines = []
    for step in spec.steps:
        after = ", ".join(needs(step))
        line = f"{step.id:<{width}}  {step.agent or step.tool}"
        line += f"  after {after}" if after else ""
        lines.append(line + (f"  when {step.when}" if step.when else ""))
    return lines


def _example(spec: WorkflowSpec) -> str | None:
    """A command to copy, from the workflow's first example."""
    import json
    import shlex

    if not spec.examples:
        return None
    words = [
        f"--input {shlex.quote(f'{key}={value if isinstance(value, str) else json.dumps(value)}')}"
        for key, value in spec.examples[0].items()
    ]
    return f"lilliput run --workflow {spec.name} " + " ".join(words)
