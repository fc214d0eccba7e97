"""A specialist as it is shown: what it is, from what it came, and what its gate found."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import UserError
from orchestrator.learning import shelf
from orchestrator.learning.curve import Epoch
from orchestrator.learning.gate import GateResult
from orchestrator.store.delta import read_delta
from orchestrator.types import ModelCard, Name, Record, Specialism
from orchestrator.workspace import Workspace


class Shown(Record):
    """A specialist with its lineage and its evidence. `gate` None: it has not been through it.

    `examples`: how many it has learnt from and was chosen by, as `train` and `dev`. `labels`: what it answers
    with, None where nothing fits; empty, where it writes or marks.
    """

    name: Name
    answers: bool
    specialism: Specialism
    labels: tuple[str | None, ...]
    examples: Mapping[str, int]
    answered_by: str
    curve: tuple[Epoch, ...]
    gate: GateResult | None


def specialists(workspace: Workspace) -> list[Shown]:
    """By name; twins left out."""
    cards = workspace.cards
    return [specialist(workspace, name) for name in sorted(cards) if _is_specialist(cards[name])]


def specialist(workspace: Workspace, name: str) -> Shown:
    """Raises UnknownName, or UserError for a model that is none, such as a line of them."""
    trained = specialism_of(workspace, name)
    card = workspace.card(name)
    folder = workspace.card_folders[name]
    lineage = json.loads((folder / "lineage.json").read_text("utf-8"))
    gate = shelf.file_of(workspace.roots, name, shelf.EVIDENCE)
    return Shown(
        name=name,
        answers=card.role == "crew",
        specialism=trained,
        labels=_labels(folder),
        examples={split: len(texts) for split, texts in lineage["texts"].items()},
        answered_by=", ".join(sorted(lineage["answered_by"])),
        curve=tuple(Epoch(**each) for each in json.loads((folder / "curve.json").read_text("utf-8"))),
        gate=GateResult.model_validate_json(gate.read_bytes()) if gate else None,
    )


def specialism_of(workspace: Workspace, name: str) -> Specialism:
    """Raises UnknownName, or UserError for a model that is no specialist, and for the name of a line."""
    if name in workspace.cards:
        return shelf.specialism_of(workspace.card(name))
    line = re.compile(re.escape(name) + r"-\d+")
    if numbers := [other for other in workspace.cards if line.fullmatch(other)]:
        newest = max(numbers, key=lambda other: int(other.rpartition("-")[2]))
        raise UserError(f"{name} is a line of specialists.", hint=f"Name one of it, such as {newest}.")
    return shelf.specialism_of(workspace.card(name))


def _labels(folder: Path) -> tuple[str | None, ...]:
    delta = folder / "delta.safetensors"
    head = read_delta(delta).head if delta.is_file() else None
    return head.labels if head and head.kind == "classify" else ()


def _is_specialist(card: ModelCard) -> bool:
    return card.specialism is not None and card.role in ("crew", "candidate")
