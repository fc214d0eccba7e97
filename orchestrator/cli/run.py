"""`lilliput run`: give the crew a task and watch it work."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import FAILED, STOPPED, WAITING
from orchestrator.cli.door import JsonOption, WorkspaceOption, open_door

if TYPE_CHECKING:
    from orchestrator.cli.approve import Approver
    from orchestrator.cli.door import Door
    from orchestrator.cli.lines import LinesView, SilentView
    from orchestrator.cli.live import LiveView
    from orchestrator.types import Event, RunResult, Task

# The rest of a longer error is in the record.
LONGEST_ERROR = 400
_PULL = re.compile(r"lilliput models pull ([\w.-]*\w)")
EXIT_CODES = {"completed": 0, "input-required": WAITING, "canceled": STOPPED}


Text = Annotated[
    str | None, typer.Argument(metavar="[TEXT]", help="What you want done; `-` reads it from stdin.")
]
Workflow = Annotated[str | None, typer.Option("--workflow", metavar="NAME", help="Follow this plan.")]
Agent = Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Ask one specialist.")]
Inputs = Annotated[
    list[str] | None, typer.Option("--input", "-i", metavar="KEY=VALUE", help="One input; may be repeated.")
]
InputFile = Annotated[
    Path | None, typer.Option("--input-file", metavar="FILE", help="Inputs from a JSON or YAML file.")
]
Example = Annotated[
    int | None,
    typer.Option("--example", metavar="N", min=1, help="The workflow's own example N as the input."),
]
Policy = Annotated[
    str | None,
    typer.Option(
        "--route", metavar="POLICY", help="cascade, smallest-capable, fixed:MODEL, only:A,B or agree:A,B,C."
    ),
]
Model = Annotated[str | None, typer.Option("--model", metavar="NAME", help="Short for --route fixed:NAME.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Approve every write of this run.")]
Events = Annotated[bool, typer.Option("--events", help="Print every event as a line of JSON.")]


def _limit(unit: str, help_text: str) -> Any:
    return typer.Option(metavar=unit, min=0, help=help_text)


def run(
    text: Text = None,
    workflow: Workflow = None,
    agent: Agent = None,
    inputs: Inputs = None,
    input_file: InputFile = None,
    example: Example = None,
    route: Policy = None,
    model: Model = None,
    yes: Yes = False,
    budget_s: Annotated[float | None, _limit("SECONDS", "Stop after this time.")] = None,
    budget_tokens: Annotated[int | None, _limit("N", "Stop after this many tokens.")] = None,
    budget_steps: Annotated[int | None, _limit("N", "Stop after this many steps.")] = None,
    budget_usd: Annotated[float | None, _limit("USD", "Stop before this cost.")] = None,
    as_json: JsonOption = False,
    events: Events = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run a workflow, one agent, or a plan that a model writes.

    The answer goes to stdout, progress to stderr. Exit code 3: a write waits for approval (see --yes).
    """
    import anyio

    door = open_door(workspace)
    budget = {"time_s": budget_s, "tokens": budget_tokens, "steps": budget_steps, "cost_usd": budget_usd}
    task = build_task(
        door,
        _read_text(text),
        workflow=workflow,
        agent=agent,
        words=inputs or [],
        base=_base(door, input_file, workflow, example),
        route=_policy(route, model),
        budget=budget,
    )
    door.store()  # removes what killed pulls left
    view = _view(workflow or agent or "task", document=as_json or events)
    result, seen = anyio.run(_watch, door, task, view, _approver(view, yes), events)
    if as_json:
        _print_document(result, seen)
    elif not events:
        _print_answer(result, seen)
        _say_what_to_pull(door, result)
    raise typer.Exit(EXIT_CODES.get(result.status, FAILED))


def build_task(
    door: Door,
    text: str | None,
    *,
    workflow: str | None = None,
    agent: str | None = None,
    words: list[str],
    base: Mapping[str, Any],
    route: str | None = None,
    budget: dict[str, float | int | None],
) -> Task:
    """The task that the words on the command line mean. Raises UserError with what to type."""
    from orchestrator.cli.schema import build_input
    from orchestrator.errors import UserError
    from orchestrator.types import Budget, Task

    if workflow and agent:
        raise UserError("A task has a workflow or an agent, not both.", hint="Leave out one of the two.")
    schema: dict[str, Any] = {}
    if workflow:
        schema = door.workspace.workflow(workflow).input
    elif agent:
        schema = door.workspace.agent(agent).input
    given = build_input(schema, text, words, base)
    try:
        json.dumps(given, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise UserError("The input is not UTF-8 text.", hint="Convert it: iconv -t UTF-8 FILE.") from None
    if not given and not schema:
        raise UserError("There is nothing to do.", hint='Try: lilliput run "…" --workflow service-desk')
    limits = {name: value for name, value in budget.items() if value is not None}
    return Task(
        input=given,
        workflow=workflow,
        agent=agent,
        route=route or door.settings.route,
        budget=Budget.model_validate(limits),
    )


def _policy(route: str | None, model: str | None) -> str | None:
    from orchestrator.errors import UserError

    if route and model:
        raise UserError("--model M means --route fixed:M.", hint="Give one of the two.")
    return f"fixed:{model}" if model else route


def _read_text(text: str | None) -> str | None:
    return sys.stdin.read() if text == "-" else text


def _base(door: Door, file: Path | None, workflow: str | None, example: int | None) -> Mapping[str, Any]:
    """What the inputs start from: a workflow's example, a file, or nothing. Raises UserError."""
    from orchestrator.errors import UserError

    if example is None:
        return _read_inputs(file) if file else {}
    if workflow is None or file:
        raise UserError("--example N is an example of a workflow.", hint="Add --workflow NAME, and no file.")
    examples = door.workspace.workflow(workflow).examples
    if example > len(examples):
        raise UserError(f"Workflow {workflow!r} has {len(examples)} examples, no number {example}.")
    return examples[example - 1]


def _read_inputs(file: Path) -> dict[str, Any]:
    """JSON is YAML, so one reader serves both. Raises UserError."""
    from orchestrator.errors import UserError
    from orchestrator.yamlfile import read_yaml

    if not file.is_file():
        raise UserError(f"--input-file {str(file)!r} is not a file.")
    data: dict[str, Any] = read_yaml(file).data
    return data


def make_view(title: str, *, kept: bool = True) -> LiveView | LinesView:
    """Draw on a terminal, print lines elsewhere."""
    from orchestrator.cli.lines import LinesView
    from orchestrator.cli.live import LiveView
    from orchestrator.cli.progress import RunState

    state = RunState(title, kept=kept)
    return LiveView(state) if sys.stderr.isatty() else LinesView(state)


def _view(title: str, *, document: bool) -> LiveView | LinesView | SilentView:
    """Beside a document, draw only when that goes somewhere else than the terminal."""
    from orchestrator.cli.lines import SilentView
    from orchestrator.cli.progress import RunState

    if document and (sys.stdout.isatty() or not sys.stderr.isatty()):
        return SilentView(RunState(title))
    return make_view(title)


def _approver(view: LiveView | LinesView | SilentView, yes: bool) -> Approver | None:
    from orchestrator.cli import approve

    if yes:
        return approve.yes_to_all
    return approve.ask_on(view) if approve.can_ask() else None


async def _watch(
    door: Door,
    task: Task,
    view: LiveView | LinesView | SilentView,
    approver: Approver | None,
    print_events: bool,
) -> tuple[RunResult, list[Event]]:
    """Feed the view until the run ends. Pieces of text are shown and then forgotten."""
    from orchestrator.controller import open_controller

    seen: list[Event] = []
    # The stream is closed first: when the reader of our output leaves, the run must end before its models do.
    async with (
        open_controller(door.workspace, door.settings) as controller,
        aclosing(controller.run(task, approve=approver)) as stream,
    ):
        with view.shown():
            async for event in stream:
                view.see(event)
                if print_events:
                    print(event.model_dump_json(by_alias=True), flush=True)
                if event.kind != "progress":
                    seen.append(event)
    last = seen[-1]
    assert last.kind == "run_done", "a run ends with run_done"
    return last.result, seen


def _print_document(result: RunResult, seen: list[Event]) -> None:
    from orchestrator.cli.console import plain, print_json

    plan = next((event.plan for event in seen if event.kind == "planned"), None)
    steps = [event.step for event in seen if event.kind == "step_done"]
    print_json({**plain(result), "plan": plan, "steps": steps})


def _print_answer(result: RunResult, seen: list[Event]) -> None:
    from orchestrator.cli.approve import print_call
    from orchestrator.cli.console import complain, first_line, print_value, to_people

    if result.answer is not None and result.status != "failed":
        print_value(result.answer)
    if result.error:
        complain(first_line(result.error, LONGEST_ERROR))
    if result.status == "input-required":
        for event in seen:
            if event.kind == "approval_asked":
                print_call(to_people(), event)
        complain(
            "A write waits for approval; nothing was written.",
            "Run it again on a terminal to be asked; --yes approves whatever it then wants to write.",
        )
    if any(event.kind == "approval_given" and not event.approved for event in seen):
        complain("A write was not approved; nothing was written.")
    _tell_plan(seen)


def _tell_plan(seen: list[Event]) -> None:
    """A plan that a model wrote is a guess at what was meant, so it is shown with the answer."""
    from orchestrator.cli.console import first_line, to_people
    from orchestrator.cli.visible import visible

    plan = next((event.plan for event in seen if event.kind == "planned"), None)
    if plan is None or plan.planner != "model":
        return
    for step in plan.subtasks:
        inputs = ", ".join(f"{name}={value!r}" for name, value in step.inputs.items())
        line = first_line(
            visible(f"A model planned: {step.id} = {step.agent or step.tool}({inputs})"), LONGEST_ERROR
        )
        to_people().print(line, style="dim", markup=False, highlight=False)


def _say_what_to_pull(door: Door, result: RunResult) -> None:
    """A run that failed for want of models ends with the one command that brings them."""
    from orchestrator.cli.console import complain

    cards = door.workspace.cards
    named = dict.fromkeys(_PULL.findall(result.error or ""))
    absent = [name for name in named if name in cards and cards[name].role == "crew"]
    if absent:
        complain("Models are missing.", f"To fetch them: lilliput models pull {' '.join(absent)}")
