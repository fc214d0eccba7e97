"""The handbook names what there is: every command, option and setting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from orchestrator.cli.app import app
from orchestrator.settings import PREFIX, Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_setting_is_documented_with_its_variable() -> None:
    page = (DOCS / "settings.md").read_text("utf-8")
    for name in Settings.model_fields:
        assert f"| `{name}` | `{PREFIX}{name.upper()}` |" in page


def test_every_command_and_every_option_of_run_is_documented() -> None:
    page = (DOCS / "cli.md").read_text("utf-8")
    tree = get_command(app)
    for name, command in tree.commands.items():  # type: ignore[attr-defined]
        assert f"lilliput {name}" in page
        for inner in getattr(command, "commands", {}):
            assert re.search(rf"`({name} |lilliput {name} )?{inner}\b", page), f"{name} {inner}"
    for option in tree.commands["run"].params:  # type: ignore[attr-defined]
        if option.opts[0].startswith("--") and option.name not in ("workspace",):
            assert option.opts[0] in page


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_no_link_inside_the_handbook_is_dead(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name} -> {target}"
