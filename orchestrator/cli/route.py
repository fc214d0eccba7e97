"""`lilliput route`: when a small model's answer is good enough, proven on your own answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.door import JsonOption, WorkspaceOption
from orchestrator.cli.learn import Line, learner_at
from orchestrator.cli.learn_shown import tell_row

if TYPE_CHECKING:
    from orchestrator.types import Spent

app = typer.Typer(help="Routing with a stated risk.", no_args_is_help=True)


@app.command()
def calibrate(
    name: Line,
    model: Annotated[
        str | None, typer.Option("--model", help="Another than the specialist that answers.")
    ] = None,
    max_wrong: Annotated[
        float, typer.Option("--max-wrong", min=0.1, max=50.0, help="Per cent of accepted answers.")
    ] = 5.0,
    budget: Annotated[
        float | None,
        typer.Option("--budget", min=0.0, max=100.0, help="Also tell what so many per cent of calls buy."),
    ] = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Prove from which confidence on a model's answers may be accepted, for `cascade` and `budget:15%`."""
    from functools import partial

    import anyio

    from orchestrator.cli.console import print_json, print_pairs

    work = partial(
        learner_at(workspace).calibrate, name, heard=tell_row, model=model, max_wrong=max_wrong / 100
    )
    found = anyio.run(work)
    if as_json:
        return print_json(found)
    promise, spent = found.guarantee, None if budget is None else found.within(budget / 100)
    said = f"{100 * promise.coverage:.0f} % of {promise.n} answers; {promise.wrong} of these were wrong"
    return print_pairs(
        [
            ("model", found.model),
            ("accepted from", f"{promise.threshold:.4f}"),
            ("accepts", said),
            ("promise", f"at most {100 * promise.max_wrong:g} % wrong, {100 * (1 - promise.delta):g} % sure"),
            ("the others", f"{100 * (1 - promise.coverage):.0f} % of all answers go on to the reference"),
            *([(f"budget:{100 * spent.share:g}%", _bought(spent))] if spent else []),
            ("judged by", found.judged_by),
        ]
    )


def _bought(spent: Spent) -> str:
    return (
        f"{spent.accepted} accepted, {spent.wrong} of these were wrong; "
        f"at most {100 * spent.wrong_at_most:.1f} %, 95 % sure"
    )
