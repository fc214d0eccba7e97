"""What most commands open first: the workspace, its settings, and the store of models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from orchestrator.settings import LoadedSettings, Settings
    from orchestrator.store import ModelStore
    from orchestrator.workspace import Workspace

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        metavar="DIR",
        envvar="LILLIPUT_WORKSPACE",
        help="Your folder with agents/ models/ configs/. Default: the nearest one upwards from here.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@dataclass(frozen=True)
class Door:
    """A workspace and its settings, with where each setting came from."""

    workspace: Workspace
    loaded: LoadedSettings

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    def store(self) -> ModelStore:
        """The model store, with the leftovers of killed processes removed."""
        return self.store_and_freed()[0]

    def store_and_freed(self) -> tuple[ModelStore, int]:
        """The swept store, and how many bytes sweeping freed."""
        from orchestrator.store import ModelStore

        store = ModelStore(self.settings.cache_dir, self.workspace.cards, self.workspace.card_folders)
        return store, store.sweep()


def open_listing(folder: Path | None) -> Door:
    """As `open_door`, with a word on stderr about files that could not be read and so are not listed."""
    from orchestrator.cli.console import complain, count

    door = open_door(folder)
    if broken := door.workspace.problems:
        complain(
            f"{count(len(broken), 'file')} left out because of mistakes.", "To see them: lilliput doctor"
        )
    return door


def open_door(folder: Path | None, **arguments: Any) -> Door:
    """Find the workspace and merge its settings with the environment's. Raises UserError."""
    from orchestrator.settings import load_settings
    from orchestrator.workspace import find_workspace

    workspace = find_workspace(folder)
    return Door(workspace, load_settings(workspace.settings_files, arguments=arguments))
