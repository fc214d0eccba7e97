"""Kill -9 before a change of a file, in every step of learning: nothing is half-made, the end is the same."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from orchestrator.learning import shelf
from orchestrator.learning.project import open_project
from orchestrator.workspace import Workspace, builtin_root
from tests.learning.crash import run

pytestmark = pytest.mark.real
RECIPE = """name: quick
description: For tests.
method: encoder
base: minilm-l6
epochs: 3
batch: 16
rank: 4
max_tokens: 32
"""


class Phase(NamedTuple):
    """`words`: what is killed. `outcome`: what must be the same in the end, whatever was killed on the way.

    `once`: a second time it would do something else, so it is not done again when its outcome is there.
    """

    words: tuple[str, ...]
    outcome: Callable[[Path], object]
    once: bool = False


def examples(here: Path) -> object:
    """Of the texts alone: times of collecting differ."""
    found = here.parent / "state" / "learning" / "tickets" / "examples.jsonl"
    return found.read_text("utf-8") if found.is_file() else None


def collected(here: Path) -> object:
    project = open_project(here.parent / "state", "tickets")
    return project.collected and project.collected.places


def trained(here: Path) -> object:
    """What each whole specialist learnt, and the losses on the way."""
    found = {}
    for folder in sorted((here / shelf.FOLDER).glob("tickets-*")):
        curve = json.loads((folder / "curve.json").read_text("utf-8"))
        delta = hashlib.sha256((folder / "delta.safetensors").read_bytes()).hexdigest()
        found[delta] = [epoch["loss"] for epoch in curve]
    return found


def evidence(here: Path) -> object:
    """Without what is measured anew each time."""
    found = json.loads((here / shelf.FOLDER / "tickets-2" / "evidence.json").read_text("utf-8"))
    return found["passed"], found["reasons"], found["n"], [arm["quality"] for arm in found["arms"]]


def answering(here: Path) -> object:
    cards = Workspace((builtin_root(), here)).cards.items()
    return sorted(name for name, card in cards if card.specialism and card.role == "crew")


PHASES = {
    "collect": Phase(("learn", "collect", "tickets", "--agent", "label"), collected),
    "scrub": Phase(("learn", "scrub", "tickets"), examples),
    "train": Phase(("learn", "train", "tickets", "--recipe", "quick"), trained),
    "gate": Phase(("learn", "gate", "tickets-2", "--against", "tickets-1"), evidence),
    "promote": Phase(("learn", "promote", "tickets-2"), answering, once=True),
    "rollback": Phase(("learn", "rollback", "tickets"), answering, once=True),
}


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_kill_before_any_change_of_a_file_costs_nothing(
    here: Path, cache: Path, kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here.parent)
    prepare(here)
    for name, phase in PHASES.items():
        before, after = here.parent / "before", here.parent / "after"
        keep(here, before)
        whole = run(phase.words, here)
        assert whole.exit == 0, name
        expected, answered = phase.outcome(here), [answering(before / "desk"), answering(here)]
        keep(here, after)
        for moment in moments(whole.changes, kills):
            bring_back(before, here)
            if name == "train":  # it ends with the installation
                for model in cache.glob("models/tickets-2*"):
                    shutil.rmtree(model)
            ended = run(phase.words, here, die_before=moment)
            # It ends by itself where it needed fewer changes than at first: some things stay in the cache.
            assert ended.exit == -signal.SIGKILL or 0 < ended.changes < moment, (name, moment, ended)
            assert not Workspace((builtin_root(), here)).problems, (name, moment)
            assert answering(here) in answered, (name, moment)
            if not phase.once or phase.outcome(here) != expected:
                assert run(phase.words, here).exit == 0, (name, moment)
            assert phase.outcome(here) == expected, (name, moment)
        bring_back(after, here)
    assert run(("models", "list"), here).exit == 0
    assert not left_over(here, cache)


def moments(changes: int, kills: int) -> Sequence[int]:
    """So many of them, the first and the last among them; all, where there are no more."""
    if changes <= kills:
        return range(1, changes + 1)
    return [1 + step * (changes - 1) // (kills - 1) for step in range(kills)]


def prepare(here: Path) -> None:
    """A specialist that answers, so that there is one to go on answering."""
    (here / "configs" / "learning.yaml").write_text("agents: {label: {days: 30}}\n", "utf-8")
    recipes = here / "models" / "recipes"
    recipes.mkdir(parents=True)
    (recipes / "quick.yaml").write_text(RECIPE, "utf-8")
    for words in (*(phase.words for phase in list(PHASES.values())[:2]), ("learn", "train", "tickets")):
        assert run(words, here).exit == 0
    passed = json.dumps({"passed": True, "reasons": []})
    (here / shelf.FOLDER / "tickets-1" / shelf.EVIDENCE).write_text(passed, "utf-8")
    shelf.promote((here,), "tickets-1", "for a test")
    shutil.rmtree(here.parent / "state" / "learning")


def keep(here: Path, place: Path) -> None:
    """The folder with its records."""
    shutil.rmtree(place, ignore_errors=True)
    for name in ("desk", "state"):
        shutil.copytree(here.parent / name, place / name)


def bring_back(place: Path, here: Path) -> None:
    for name in ("desk", "state"):
        shutil.rmtree(here.parent / name)
        shutil.copytree(place / name, here.parent / name)


def left_over(here: Path, cache: Path) -> list[Path]:
    """What was half-made when a kill came: it is never loaded, and cleared away by what comes after."""
    stages = (cache / "staging", here / shelf.FOLDER / "staging", here.parent / "state" / "staging")
    return [path for stage in stages if stage.is_dir() for path in stage.iterdir()]
