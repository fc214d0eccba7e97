"""`lilliput workflows`: the declared plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.door import JsonOption, WorkspaceOption, open_door, open_listing

if TYPE_CHECKING:
    from orchestrator.types import Subtask, WorkflowSpec

app = typer.Typer(help="Declared plans: which agents and tools work on a task.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="A workflow of `lilliput workflows list`.")]


@app.command("list")
def list_workflows(as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """List the workflows of this workspace."""
    from orchestrator.cli.console import first_line, print_json, print_table

    specs = [entry.spec for entry in open_listing(workspace).workspace.workflows.values()]
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
            ("try", _examples(spec)),
            ("file", place.workflows[name].file),
        ]
    )


def _subtasks(spec: WorkflowSpec) -> list[str]:
    from orchestrator.planning import needs, plan_from_workflow

    steps = plan_from_workflow(spec).subtasks
    ids, calls = (max(map(len, names)) for names in zip(*((s.id, _call(s)) for s in steps), strict=True))
    return [
        f"{step.id:<{ids}}  {_call(step):<{calls}}  {_order(step, needs(step))}".rstrip() for step in steps
    ]


def _call(step: Subtask) -> str:
    return step.agent or step.tool or ""


def _order(step: Subtask, after: list[str]) -> str:
    parts = [f"after {', '.join(after)}" if after else "", f"when {step.when}" if step.when else ""]
    return "; ".join(part for part in (*parts, "optional" if step.optional else "") if part)


def _examples(spec: WorkflowSpec) -> str | None:
    """Commands to copy, each with the head of what it sends."""
    from orchestrator.cli.console import first_line
    from orchestrator.cli.visible import as_text

    lines = [
        f"lilliput run --workflow {spec.name} --example {number}\n  {first_line(as_text(example), 70)}"
        for number, example in enumerate(spec.examples, start=1)
    ]
    return "\n".join(lines) or None
