"""The specialists of a workspace: put one there, let it answer, take it back.

    models/specialists/tickets-2/tickets-2.yaml        its card: base, recipe, data hash, licence
                                 tickets-2-f32.yaml    the same in float32, to hold int8 against
                                 delta.safetensors     what was learnt
                                 evidence.json         what the gate found
                                 curve.json            how the training went

A specialist appears as one finished folder. Only one that passed its gate can be promoted.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from orchestrator.errors import UnknownName, UserError
from orchestrator.promoted import FILE, Change, Promoted, read_promoted
from orchestrator.records import utc_now
from orchestrator.store.files import publish, replace_text
from orchestrator.store.locks import locked
from orchestrator.types import ModelCard, Specialism

FOLDER = Path("models/specialists")
EVIDENCE = "evidence.json"


def next_name(root: Path, line: str) -> str:
    """`tickets-3` where `tickets-1` and `tickets-2` have been."""
    return f"{line}-{1 + max(_versions(root, line), default=0)}"


def put(root: Path, stage: Path, card: ModelCard, curve: Any, lineage: Mapping[str, Any]) -> Path:
    """Move a finished specialist to its place; `stage` holds its delta. Returns the folder."""
    twin = card.model_copy(
        update={
            "name": f"{card.name}-f32",
            "description": f"{card.name} in float32, to hold int8 against.",
            "role": "twin",
            "precision": "float32",
            "conversion": card.conversion.model_copy(update={"precision": "float32"}),
        }
    )
    for each in (card, twin):
        data = each.model_dump(mode="json", exclude_defaults=True)
        (stage / f"{each.name}.yaml").write_text(yaml.safe_dump(data, sort_keys=False, width=110), "utf-8")
    (stage / "curve.json").write_text(json.dumps(curve, indent=1) + "\n", "utf-8")
    (stage / "lineage.json").write_text(json.dumps(lineage, indent=1, sort_keys=True) + "\n", "utf-8")
    place = root / FOLDER / card.name
    publish(stage, place)
    return place


def promote(roots: Sequence[Path], name: str, why: str, replaced: Collection[str] = ()) -> Change:
    """From now on this specialist answers in the last of the roots, whose own it may be, or a shipped one.

    Those of other lines that are `replaced` answer no longer.
    """
    insist_on_gate(roots, name)
    own, now = _line(name), utc_now()
    others = {_line(other) for other in replaced} - {own}
    gone = Change(specialist=None, at=now, why=f"{name} answers the same work", replaced_by=name)
    change = Change(specialist=name, at=now, why=why)
    _change(roots[-1], {**dict.fromkeys(sorted(others), gone), own: change})
    return change


def roll_back(root: Path, line: str) -> Change:
    """Back to the specialist that answered before, of another line too; to none, where there was none."""
    changes = _history(root, line)
    if not changes or changes[-1].specialist is None:
        raise UserError(
            f"No specialist of {line!r} is promoted, so there is nothing to roll back.",
            hint=_rollback_hint(root, line),
        )
    now = changes[-1].specialist
    # Only to an older one: what was rolled back itself is not gone back to.
    older = [c.specialist for c in changes if c.specialist and _number(c.specialist) < _number(now)]
    why, at = f"{now} was rolled back", utc_now()
    own = Change(specialist=older[-1] if older else None, at=at, why=why)
    others = () if older else _replaced(root, now)
    back = {other: Change(specialist=was, at=at, why=why) for other, was in others}
    _change(root, {**back, line: own})
    return next(iter(back.values()), own)


def _rollback_hint(root: Path, name: str) -> str:
    """For who names the specialist instead of its line."""
    if name in read_promoted(root).current():
        return f"Name its line: lilliput learn rollback {_line(name)}"
    return "`lilliput learn list` shows what there is."


def _replaced(root: Path, name: str) -> Iterator[tuple[str, str]]:
    """The lines that this specialist took over, and what answered there."""
    for line, changes in read_promoted(root).lines.items():
        if changes and changes[-1].replaced_by == name:
            yield line, next(change.specialist for change in reversed(changes) if change.specialist)


def file_of(roots: Sequence[Path], specialist: str, name: str) -> Path | None:
    """A file about a specialist, where the strongest root has it."""
    found = (root / FOLDER / specialist / name for root in reversed(roots))
    return next((file for file in found if file.is_file()), None)


def texts_of(roots: Sequence[Path], model: str) -> frozenset[str]:
    """Hashes of what a specialist has learnt from, scrubbed and as written; none, for another model."""
    file = file_of(roots, model, "lineage.json")
    if file is None:
        return frozenset()
    lineage = json.loads(file.read_text("utf-8"))
    scrubbed = (text for found in lineage["texts"].values() for text in found)
    return frozenset([*scrubbed, *lineage.get("written", ())])


def insist_on_gate(roots: Sequence[Path], name: str) -> None:
    """Raises UserError for a specialist without evidence, or one that was refused."""
    if not file_of(roots, name, f"{name}.yaml"):
        known = [found.name for root in roots for found in (root / FOLDER).glob("*-*") if found.is_dir()]
        raise UnknownName("specialist", name, known)
    file = file_of(roots, name, EVIDENCE)
    if file is None:
        raise UserError(f"{name} has not been through its gate.", hint=f"Type: lilliput learn gate {name}")
    evidence = json.loads(file.read_text("utf-8"))
    if not evidence["passed"]:
        raise UserError(
            f"{name} did not pass its gate: {'; '.join(evidence['reasons'])}.",
            hint="What answers now goes on answering.",
        )


def _change(root: Path, changed: Mapping[str, Change]) -> None:
    """By line, all in one step."""
    with locked(root / FOLDER / "locks" / "promoted.lock"):
        new = {line: (*_history(root, line), change) for line, change in changed.items()}
        lines = {**read_promoted(root).lines, **new}
        data = Promoted(lines=lines).model_dump(mode="json", exclude_defaults=True)
        replace_text(root / FILE, yaml.safe_dump(data, sort_keys=False, width=110))


def _history(root: Path, line: str) -> tuple[Change, ...]:
    return read_promoted(root).lines.get(line, ())


def _line(name: str) -> str:
    return name.rpartition("-")[0]


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])


def _versions(root: Path, line: str) -> list[int]:
    ends = (folder.name.removeprefix(f"{line}-") for folder in (root / FOLDER).glob(f"{line}-*"))
    return [int(end) for end in ends if end.isdigit()]


def specialism_of(card: ModelCard) -> Specialism:
    """Raises UserError for a model that is no specialist."""
    if card.specialism is None:
        raise UserError(f"{card.name} is no specialist.", hint="`lilliput learn list` shows those there are.")
    return card.specialism
