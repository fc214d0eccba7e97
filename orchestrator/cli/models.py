"""`lilliput models`: the cards of this workspace, and the models that are installed on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import FAILED
from orchestrator.cli.door import Door, JsonOption, WorkspaceOption, open_door, open_listing

if TYPE_CHECKING:
    from orchestrator.store import ModelStore
    from orchestrator.types import Measurement, ModelCard

app = typer.Typer(help="Model cards, and the models installed on this machine.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="A model of `lilliput models list`.")]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Models of `lilliput models list`.")]


@app.command("list")
def list_models(
    every: Annotated[bool, typer.Option("--all", help="The float32 twins of specialists too.")] = False,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """List the models: installed or not, size, memory, how they run and what they can do."""
    from orchestrator.cli.console import print_json, print_table, size

    door = open_listing(workspace)
    store = door.store()
    cards = sorted(door.workspace.cards.values(), key=lambda card: (card.parameters or 0, card.name))
    if as_json:
        return print_json([_as_data(card, store) for card in cards])
    shown = [card for card in cards if every or not (card.specialism and card.role == "twin")]
    rows = [
        (
            card.name,
            "yes" if store.state(card.name) == "installed" else "no",
            size(card.download_bytes) if card.files else "-",
            size(card.memory_bytes),
            _runs(card),
            ", ".join(sorted(card.capabilities)),
            card.role,
        )
        for card in shown
    ]
    columns = ("model", "here", "size", "memory", "runs", "can", "role")
    return print_table(columns, rows, right=("size", "memory"))


@app.command()
def show(name: Name, as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """Show one card: source, licence, needs, measured figures, and what was installed from it."""
    from orchestrator.cli.console import print_json, print_pairs

    door = open_door(workspace)
    card, store = door.workspace.card(name), door.store()
    if as_json:
        return print_json(_as_data(card, store))
    return print_pairs([*_card_pairs(card), *_installed_pairs(card, store)])


@app.command()
def pull(names: Names, as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """Fetch, verify and convert models. Says first what it takes, and refuses when there is too little."""
    from orchestrator.cli.console import print_json
    from orchestrator.cli.pulling import pull_all

    door = open_door(workspace)
    manifests = pull_all(door, names)
    if as_json:
        print_json(manifests)


@app.command()
def check(name: Name, as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """Load a model, try everything that its card claims, and complain about what does not hold (exit 1)."""
    from orchestrator.cli.check import check_model, print_report
    from orchestrator.cli.console import plain, print_json

    report = check_model(open_door(workspace), name)
    if as_json:
        print_json({**plain(report), "complaints": report.complaints})
    else:
        print_report(report)
    raise typer.Exit(FAILED if report.complaints else 0)


@app.command()
def rm(names: Names, workspace: WorkspaceOption = None) -> None:
    """Delete installed models and their downloads."""
    from orchestrator.cli.console import size, to_people

    door = open_door(workspace)
    _insist(door, names)
    store = door.store()
    for name in names:
        freed = store.remove(name)
        to_people().print(f"{name}: {size(freed)} freed" if freed else f"{name} was not installed")


def _insist(door: Door, names: list[str]) -> None:
    """All names before the first deed."""
    for name in names:
        door.workspace.card(name)


def _as_data(card: ModelCard, store: ModelStore) -> dict[str, Any]:
    from orchestrator.cli.console import plain

    installed = store.state(card.name) == "installed"
    data: dict[str, Any] = {**plain(card), "installed": installed, "download_bytes": card.download_bytes}
    data["manifest"] = plain(store.manifest(card.name)) if installed and card.files else None
    return data


def _runs(card: ModelCard) -> str:
    return card.runtime if card.precision == "native" else f"{card.runtime} {card.precision}"


def _card_pairs(card: ModelCard) -> list[tuple[str, Any]]:
    from orchestrator.cli.console import number, size

    sources = "\n".join(_source(card, index) for index in range(len(card.files)))
    return [
        ("model", card.name),
        ("what", card.description),
        ("role", card.role),
        ("origin", card.origin),
        ("licence", card.licence),
        ("runs", f"{_runs(card)} on {card.device}"),
        ("can", ", ".join(sorted(card.capabilities))),
        ("languages", ", ".join(card.languages) or None),
        ("parameters", number(card.parameters) if card.parameters else None),
        ("context", f"{card.context_tokens:,} tokens" if card.context_tokens else None),
        ("memory", size(card.memory_bytes)),
        ("download", size(card.download_bytes) if card.files else None),
        ("files", sources or None),
        ("server", f"{card.remote.base_url} ({card.remote.model})" if card.remote else None),
        ("conversion", card.conversion.recipe if card.files else None),
        ("measured", "\n".join(map(_measurement, card.measured)) or None),
        ("notes", card.notes.strip() or None),
    ]


def _source(card: ModelCard, index: int) -> str:
    file = card.files[index]
    more = f" and {len(file.parts) - 1} more parts" if len(file.parts) > 1 else ""
    return f"{file.name}: {file.parts[0]}{more}\n  sha256 {file.sha256}"


def _measurement(item: Measurement) -> str:
    from orchestrator.cli.console import number

    extras = [item.source, f"n = {item.n}" if item.n else None, item.machine, item.note]
    return f"{item.metric}: {number(item.value)} {item.unit} ({', '.join(part for part in extras if part)})"


def _installed_pairs(card: ModelCard, store: ModelStore) -> list[tuple[str, Any]]:
    if not card.files:
        return []
    if store.state(card.name) != "installed":
        return [("installed", f"no: lilliput models pull {card.name}")]
    from orchestrator.cli.pulling import taken

    manifest = store.manifest(card.name)
    return [("installed", f"{manifest.installed_at}, {taken(manifest)}"), ("folder", store.folder(card.name))]
