"""Kill -9 while a specialist is made: nothing half-made is ever there, and the end is the same."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.learning import shelf
from orchestrator.workspace import Workspace, builtin_root

pytestmark = pytest.mark.real
RUN = [
    sys.executable,
    "-c",
    "from orchestrator.cli import main; main()",
    "learn",
    "run",
    "tickets",
    "--agent",
    "label",
]
KILLS = 5


def command(folder: Path) -> subprocess.Popen[bytes]:
    """In a session of its own, so that what it starts dies with it."""
    return subprocess.Popen(
        RUN, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def whole(folder: Path, name: str) -> str:
    """The hash of what a specialist learnt; fails where one of its files is missing or half-written."""
    place = folder / shelf.FOLDER / name
    for file in (f"{name}.yaml", f"{name}-f32.yaml", "curve.json", "lineage.json"):
        assert (place / file).stat().st_size, file
    json.loads((place / "lineage.json").read_text("utf-8"))
    return hashlib.sha256((place / "delta.safetensors").read_bytes()).hexdigest()


def test_kills_at_any_moment_leave_whole_specialists_or_none(here: Path) -> None:
    (here / "configs" / "learning.yaml").write_text("agents: {label: {days: 30}}\n", "utf-8")
    chance = random.Random(7)
    for _ in range(KILLS):
        process = command(here)
        try:
            process.wait(timeout=chance.uniform(0.5, 6.0))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        workspace = Workspace((builtin_root(), here))
        assert not workspace.problems
        assert (
            len([card for card in workspace.cards.values() if card.role == "crew" and card.specialism]) <= 1
        )
    assert command(here).wait() == 0
    names = sorted(p.name for p in (here / shelf.FOLDER).glob("tickets-*"))
    assert len({whole(here, name) for name in names}) == 1, (
        "the same logs, recipe and seed, the same specialist"
    )
    answering = [
        n
        for n, card in Workspace((builtin_root(), here)).cards.items()
        if card.specialism and card.role == "crew"
    ]
    assert answering == [max(names, key=lambda name: int(name.rpartition("-")[2]))]
