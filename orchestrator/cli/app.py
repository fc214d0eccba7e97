"""The command tree. Order here is the order in `lilliput --help`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli import agents, bench, demo, doctor, learn, models, route, run, runs, tools, workflows

app = typer.Typer(
    name="lilliput",
    help="Run agent workflows on a crew of small models, and measure them against one larger model.",
    epilog="Start here: lilliput doctor, then lilliput demo. LILLIPUT_DEBUG=1 shows tracebacks.",
    no_args_is_help=True,
    add_completion=False,
    # rich would cost 0.2 s on every --help.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from orchestrator import __version__

        print(f"lilliput {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the options that belong to no command."""


app.command("run")(run.run)
app.add_typer(agents.app, name="agents")
app.add_typer(tools.app, name="tools")
app.add_typer(workflows.app, name="workflows")
app.add_typer(models.app, name="models")
app.add_typer(runs.app, name="runs")
app.add_typer(bench.app, name="bench")
app.add_typer(learn.app, name="learn")
app.add_typer(route.app, name="route")
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)
