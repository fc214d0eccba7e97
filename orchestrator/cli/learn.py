"""`lilliput learn`: from logged work, or a file of yours, to a specialist that answers it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.door import JsonOption, WorkspaceOption, open_door
from orchestrator.cli.learn_files import (
    FileOption,
    InputsOption,
    LabelOption,
    LicenceOption,
    PublicOption,
    SplitOption,
    TextOption,
    file_source,
    given_of,
)
from orchestrator.cli.learn_shown import (
    alarm,
    answers_with,
    learnt_from,
    listed,
    say_next,
    say_whether_it_may,
    shares,
    tell_collected,
    tell_epoch,
    tell_gate,
    tell_row,
    tell_scrubbed,
)
from orchestrator.cli.stopping import until_stopped

if TYPE_CHECKING:
    from orchestrator.learning.learner import Learner

app = typer.Typer(help="Specialists: learn from logged work, gate, promote, roll back.", no_args_is_help=True)
Line = Annotated[str, typer.Argument(metavar="NAME", help="What the specialists of this task are called.")]
MarginOption = Annotated[
    float, typer.Option("--margin", min=0.005, max=0.2, help="How much worse it may be, as a share.")
]
AcceptMarginOption = Annotated[
    bool, typer.Option("--accept-margin", help="Promote it though its gate had a wider margin than usual.")
]
AgentOption = Annotated[str, typer.Option("--agent", help="The agent whose work is learnt.")]


@app.command("list")
def list_specialists(as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """List the specialists, what their gate found, and which of them answer."""
    from orchestrator.cli.console import print_json, print_table

    found = learner_at(workspace).specialists()
    if as_json:
        return print_json(found)
    columns = ("specialist", "agent", "answers", "gate", "right", "n", "against")
    return print_table(columns, [listed(each) for each in found], right=("right", "n"))


@app.command()
def show(
    specialist: Annotated[str, typer.Argument(help="Such as tickets-1.")],
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Show where a specialist comes from, how its training went, and what its gate found."""
    from orchestrator.cli.console import print_json, print_pairs

    found = learner_at(workspace).specialist(specialist)
    if as_json:
        return print_json(found)
    trained = found.specialism
    print_pairs(
        [
            ("specialist", found.name),
            ("answers", "yes" if found.answers else "no"),
            ("agent", trained.agent),
            ("base", trained.base),
            ("recipe", f"{trained.recipe} ({trained.recipe_hash[:12]})"),
            ("data", f"{learnt_from(found)} ({trained.data_hash[:12]}), answered by {found.answered_by}"),
            ("trained", trained.trained_at),
            *answers_with(found),
        ]
    )
    for epoch in found.curve:
        tell_epoch(epoch)
    if found.gate:
        return tell_gate(found.gate)
    return say_next(f"lilliput learn gate {found.name}")


@app.command("run")
def run_all(
    name: Line,
    agent: AgentOption = "label",
    since: Annotated[str, typer.Option("--since", help="Runs from then on, such as 2026-11-01.")] = "",
    workflow: Annotated[str | None, typer.Option("--workflow", help="Only runs of this one.")] = None,
    file: FileOption = None,
    text: TextOption = "text",
    label: LabelOption = "label",
    split: SplitOption = None,
    public: PublicOption = False,
    inputs: InputsOption = None,
    licence: LicenceOption = None,
    recipe: Annotated[str, typer.Option("--recipe", help="One of models/recipes/.")] = "head",
    margin: MarginOption = 0.05,
    gold: Annotated[
        Path | None, typer.Option("--gold", help="A file of texts with the right answers, to judge by.")
    ] = None,
    accept_margin: AcceptMarginOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """All steps in a row: collect, scrub, train, gate, and promote what passed. Exit status 1: refused."""
    from functools import partial

    import anyio

    from orchestrator.learning.project import LogSource
    from orchestrator.learning.promotion import insist_on_margin

    insist_on_margin(margin, accept_margin=accept_margin)
    learner = learner_at(workspace)
    given = given_of(learner, agent, inputs)
    table = file_source(file, text, label, split, public, given, licence) if file else None
    source = table or LogSource(since=since, workflow=workflow)
    tell_collected(learner.collect(name, agent, source), then=False)
    tell_scrubbed(anyio.run(learner.scrub, name))
    learner.insist_on_gate(name, margin, gold=gold is not None)
    again = f"lilliput learn train {name} --recipe {recipe} goes on from the last whole epoch"
    card = until_stopped(partial(learner.train, name, recipe, report=tell_epoch), again)
    judged = file_source(gold, text, label) if gold else None
    found = anyio.run(partial(learner.gate, card.name, heard=tell_row, margin=margin, gold=judged))
    tell_gate(found)
    if not found.passed:
        raise typer.Exit(1)
    promote(card.name, accept_margin, workspace)


@app.command()
def allow(
    agent: Annotated[str, typer.Argument(help="An agent that says what it can learn (`learns:`).")],
    days: Annotated[
        int, typer.Option("--days", min=0, max=36_500, help="How old work may be; 0: no more.")
    ] = 90,
    workspace: WorkspaceOption = None,
) -> None:
    """Allow that an agent's logged work is learnt from."""
    from orchestrator.cli.console import to_people

    file = learner_at(workspace).allow(agent, days)
    said = f"may be learnt from for {days} days" if days else "may not be learnt from any more"
    to_people().print(f"Logged work of {agent} {said} ({file}).", markup=False, highlight=False)


@app.command()
def sweep(workspace: WorkspaceOption = None) -> None:
    """Delete examples from logs that are too old by now; every use of them does so too."""
    from orchestrator.cli.console import to_people

    gone = learner_at(workspace).sweep()
    to_people().print(f"{gone} examples deleted.", markup=False, highlight=False)


@app.command()
def distil(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv or .jsonl file of texts.")],
    agent: AgentOption = "label",
    text: TextOption = "text",
    inputs: InputsOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Let the larger model answer texts of yours, to learn from. May be killed; the same command goes on."""
    from functools import partial

    import anyio

    from orchestrator.cli.console import to_people

    learner = learner_at(workspace)
    given = given_of(learner, agent, inputs)
    work = partial(learner.distil, agent, file_source(file, text, None), given, tell_row)
    found = anyio.run(work)
    said = f"{found.asked} asked, {found.known} answered before, {found.failed} without an answer"
    to_people().print(said, markup=False, highlight=False)
    say_next(f"lilliput learn run NAME --agent {agent}")


@app.command()
def collect(
    name: Line,
    agent: AgentOption = "label",
    since: Annotated[str, typer.Option("--since", help="Runs from then on, such as 2026-11-01.")] = "",
    until: Annotated[str, typer.Option("--until", help="Runs before then.")] = "~",
    workflow: Annotated[str | None, typer.Option("--workflow", help="Only runs of this one.")] = None,
    file: FileOption = None,
    text: TextOption = "text",
    label: LabelOption = "label",
    split: SplitOption = None,
    public: PublicOption = False,
    inputs: InputsOption = None,
    licence: LicenceOption = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """S1: choose what to learn from. Keeps places, no texts."""
    from orchestrator.cli.console import print_json
    from orchestrator.learning.project import LogSource

    learner = learner_at(workspace)
    given = given_of(learner, agent, inputs)
    table = file_source(file, text, label, split, public, given, licence) if file else None
    source = table or LogSource(since=since, until=until, workflow=workflow)
    project = learner.collect(name, agent, source)
    return print_json(project) if as_json else tell_collected(project)


@app.command()
def scrub(name: Line, as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """S2: take personal data out, and each text once."""
    import anyio

    from orchestrator.cli.console import print_json

    report = anyio.run(learner_at(workspace).scrub, name)
    return print_json(report) if as_json else tell_scrubbed(report)


@app.command()
def cluster(name: Line, as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """S3: group the texts, and say which groups a specialist could take."""
    import anyio

    from orchestrator.cli.console import first_line, print_json, print_table, to_stdout
    from orchestrator.cli.visible import visible

    found = anyio.run(learner_at(workspace).cluster, name)
    if as_json:
        return print_json(found)
    rows = [
        (
            ", ".join(each.words),
            str(each.size),
            each.answers[0][0],
            f"{100 * each.agreement:.0f} % (at least {100 * each.at_least:.0f} %)",
            "yes" if each.replaceable else "no",
            first_line(visible(each.members[0]), 48),
        )
        for each in found.clusters
    ]
    columns = ("group", "texts", "usual answer", "neighbours agree", "replaceable", "typical")
    print_table(columns, rows, right=("texts",))
    shares = f"{100 * found.coverage:.0f} %", f"{100 * found.replaceable:.0f} %"
    said = f"{shares[0]} of {found.texts} texts lie in a group, {shares[1]} in a replaceable one."
    return to_stdout().print(said, highlight=False)


@app.command()
def choose(name: Line, as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """S4: try every recipe on some of the rows, and say which to take."""
    from functools import partial

    from orchestrator.cli.console import print_json, print_table, seconds, size

    tried = partial(learner_at(workspace).choose, name)
    found = until_stopped(tried, f"lilliput learn choose {name} begins again")
    if as_json:
        return print_json(found)
    rows = [
        (
            each.recipe,
            each.base,
            "-" if each.quality is None else f"{100 * each.quality:.1f} %",
            seconds(each.training_s),
            size(each.memory_bytes),
            each.licence,
            each.reason,
        )
        for each in found
    ]
    columns = ("recipe", "base", "in a try", "to train", "memory", "licence", "why")
    print_table(columns, rows, right=("in a try", "to train", "memory"))
    return say_next(f"lilliput learn train {name} --recipe {found[0].recipe}")


@app.command()
def train(
    name: Line,
    recipe: Annotated[str, typer.Option("--recipe", help="One of models/recipes/.")] = "head",
    workspace: WorkspaceOption = None,
) -> None:
    """S5: train a specialist. May be killed; the same command goes on."""
    from functools import partial

    from orchestrator.cli.console import to_people

    learner = learner_at(workspace)
    again = f"lilliput learn train {name} --recipe {recipe} goes on from the last whole epoch"
    card = until_stopped(partial(learner.train, name, recipe, report=tell_epoch), again)
    to_people().print(
        f"{card.name} is on the shelf, not promoted. Next: lilliput learn gate {card.name}",
        markup=False,
        highlight=False,
    )


@app.command()
def gate(
    specialist: Annotated[str, typer.Argument(help="Such as tickets-1.")],
    margin: MarginOption = 0.05,
    incumbent: Annotated[
        str | None, typer.Option("--against", help="Another model than answers now.")
    ] = None,
    gold: Annotated[
        Path | None, typer.Option("--gold", help="A file of texts with the right answers, to judge both by.")
    ] = None,
    text: TextOption = "text",
    label: LabelOption = "label",
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Judge a specialist on rows that no training has seen. Exit status 1: refused."""
    from functools import partial

    import anyio

    from orchestrator.cli.console import print_json

    judged = file_source(gold, text, label) if gold else None
    learner = learner_at(workspace)
    gated = partial(learner.gate, margin=margin, incumbent=incumbent, gold=judged)
    found = anyio.run(partial(gated, heard=tell_row), specialist)
    if as_json:
        print_json(found)
    else:
        tell_gate(found)
    if not found.passed:
        raise typer.Exit(1)
    say_whether_it_may(learner, found.specialist)


@app.command()
def promote(
    specialist: Annotated[str, typer.Argument(help="Such as tickets-1.")],
    accept_margin: AcceptMarginOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Let a specialist that passed its gate answer from now on, in running servers too."""
    from orchestrator.cli.console import to_people

    change = learner_at(workspace).promote(specialist, accept_margin=accept_margin)
    to_people().print(f"{change.specialist} answers from now on.", markup=False, highlight=False)


@app.command()
def rollback(name: Line, workspace: WorkspaceOption = None) -> None:
    """Go back to the specialist that answered before, or to none."""
    from orchestrator.cli.console import to_people

    change = learner_at(workspace).roll_back(name)
    now = f"{change.specialist} answers again" if change.specialist else "no specialist answers any more"
    to_people().print(f"{change.why}; {now}.", markup=False, highlight=False)


@app.command()
def watch(name: Line, as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """S6: say whether work still looks as it did when a threshold was proven. Exit status 1: it does not."""
    from orchestrator.cli.console import moment, print_json, print_table, to_people

    found = learner_at(workspace).watch(name)
    if as_json:
        print_json(found)
    else:
        rows = [
            (each.model, moment(each.since), str(each.answers), shares(each), alarm(each)) for each in found
        ]
        columns = ("model", "since", "answers", "accepted (then)", "alarm")
        print_table(columns, rows, right=("answers", "accepted (then)"))
    if any(each.alarm_after for each in found):
        to_people().print(
            f"The promise may not hold any more. A new round: lilliput learn run {name}, "
            f"then lilliput route calibrate {name}",
            markup=False,
            highlight=False,
        )
        raise typer.Exit(1)


def learner_at(workspace: Path | None) -> Learner:
    from orchestrator.learning.learner import Learner

    door = open_door(workspace)
    return Learner(door.workspace, door.settings)
