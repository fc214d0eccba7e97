"""Add a file of tools to a workspace: checked first, tried, and then there for agents, plans and `tool-use`.

agents/<file>/tools.py               the file, as it is
<state>/tools/<tool>.json            the card of each tool
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.errors import UserError
from orchestrator.learning.tool_trial import ToolCard
from orchestrator.settings import Settings
from orchestrator.store.files import replace_text
from orchestrator.tools import load_toolbox
from orchestrator.types import ToolSpec
from orchestrator.workspace import Workspace


def new_tools(workspace: Workspace, file: Path) -> list[ToolSpec]:
    """The tools of a file. Raises UserError or ContentError where it cannot be added."""
    if not file.is_file() or file.suffix != ".py":
        raise UserError(f"{file} is no Python file.", hint="Write functions with @tool; see docs/agents.md.")
    tools = list(load_toolbox([file]).specs.values())
    silent = [tool.name for tool in tools if not tool.description.strip()]
    if silent:
        raise UserError(
            f"{', '.join(silent)} has no docstring, by which a tool is chosen.",
            hint="Say in it what the tool does, in the words of those who ask for it.",
        )
    place = _place(workspace, file)
    if place.is_file() and place.read_bytes() != file.read_bytes():
        raise UserError(
            f"{place} is there already, with other tools.",
            hint=f"Rename {file.name}, or change that file itself.",
        )
    return tools


def others_than(workspace: Workspace, tool: ToolSpec, new: Sequence[ToolSpec]) -> list[ToolSpec]:
    """The tools among which it will be chosen."""
    known = {**load_toolbox(workspace.tool_files).specs, **{each.name: each for each in new}}
    return [spec for name, spec in sorted(known.items()) if name != tool.name]


def added(workspace: Workspace, settings: Settings, file: Path, cards: Sequence[ToolCard]) -> Path:
    """Put it where tools lie, and its cards into the state folder. Returns where the file is now."""
    place = _place(workspace, file)
    replace_text(place, file.read_text("utf-8"))
    for card in cards:
        kept = settings.state_dir / "tools" / f"{card.tool}.json"
        replace_text(kept, card.model_dump_json(indent=2) + "\n")
    return place


def _place(workspace: Workspace, file: Path) -> Path:
    root = workspace.roots[-1]
    if root.name == "_builtin":
        raise UserError(
            "Tools are kept in a workspace of your own, and there is none here.",
            hint="Make one: mkdir -p configs && echo '{}' > configs/lilliput.yaml",
        )
    return root / "agents" / file.stem.replace("_", "-") / "tools.py"
