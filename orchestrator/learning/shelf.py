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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import yaml

from orchestrator.errors import UnknownName, UserError
from orchestrator.learning.examples import BARE, IDENTITY
from orchestrator.promoted import FILE, Change, Promoted, read_promoted
from orchestrator.records import utc_now
from orchestrator.store.files import publish, replace_text
from orchestrator.store.locks import locked
from orchestrator.types import ModelCard, Specialism

FOLDER = Path("models/specialists")
EVIDENCE = "evidence.json"


def next_name(roots: Sequence[Path], line: str) -> str:
    """`tickets-3` where `tickets-1` and `tickets-2` have been: shipped, or promoted and removed since."""
    been = [number for root in roots for number in _versions(root, line)]
    promoted = [_number(c.specialist) for root in roots for c in _history(root, line) if c.specialist]
    return f"{line}-{1 + max([*been, *promoted], default=0)}"


def put(root: Path, stage: Path, card: ModelCard, curve: Any, lineage: Mapping[str, Any]) -> Path:
    """Move a finished specialist to its place; `stage` holds its delta. Returns the folder."""
    twin = card.model_copy(
        update={
            "name": f"{card.name}-f32",
            "description": f"{card.name} in float32, to hold int8 against.",
            "role": "twin",
            "precision": "float32",
            "memory_bytes": _in_float32(card),
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


def _in_float32(card: ModelCard) -> int | None:
    """An encoder's weights alone take four bytes each; a generator's stay as they were published."""
    if card.memory_bytes is None or card.parameters is None or card.runtime != "encoder":
        return card.memory_bytes
    return max(card.memory_bytes, 4 * card.parameters)


def promote(
    roots: Sequence[Path],
    name: str,
    why: str,
    replaces: Callable[[str], bool] = lambda other: False,
    insist: Callable[[], None] = lambda: None,
) -> Change:
    """From now on this specialist answers in the last of the roots, whose own it may be, or a shipped one.

    `replaces` says of each that answers there whether this one does its work; those answer no longer.
    `insist` raises where it may not: nobody else changes who answers between that and the promotion.
    """
    insist_on_gate(roots, name)
    root, own, now = roots[-1], _line(name), utc_now()
    with _alone(root):
        insist()
        others = {_line(other) for other in read_promoted(root).current() if replaces(other)} - {own}
        gone = Change(specialist=None, at=now, why=f"{name} answers the same work", replaced_by=name)
        change = Change(specialist=name, at=now, why=why)
        _write(root, {**dict.fromkeys(sorted(others), gone), own: change})
    return change


def roll_back(roots: Sequence[Path], line: str) -> Change:
    """Back to what answered before and is still there, of another line too; to none, where there was none."""
    root = roots[-1]
    with _alone(root):
        changes = _history(root, line)
        if not changes or changes[-1].specialist is None:
            raise UserError(
                f"No specialist of {line!r} is promoted, so there is nothing to roll back.",
                hint=_rollback_hint(root, line),
            )
        now, at = changes[-1].specialist, utc_now()
        why = f"{now} was rolled back"
        back = {
            other: Change(specialist=was, at=at, why=why)
            for other, was in _replaced(root, now)
            if is_there(roots, was)
        }
        before = [name for name in _stack(changes)[:-1] if is_there(roots, name)]
        if back:
            first = next(iter(back.values()))
            own = Change(specialist=None, at=at, why=why, replaced_by=first.specialist, back=True)
        else:
            own = Change(specialist=before[-1] if before else None, at=at, why=why, back=True)
        _write(root, {**back, line: own})
        return next(iter(back.values()), own)


def answering(root: Path, line: str) -> str:
    """The specialist of the line that answers. Raises UserError where none does."""
    changes = _history(root, line)
    if not changes or changes[-1].specialist is None:
        raise UserError(
            f"No specialist of {line!r} answers yet.", hint="Name a model: --model MODEL, or promote one."
        )
    return changes[-1].specialist


def _stack(changes: Sequence[Change]) -> list[str]:
    """What answered, the newest last, without what was rolled back."""
    found: list[str] = []
    for change in changes:
        if change.back:
            found = found[:-1]
            while change.specialist and found and found[-1] != change.specialist:
                found.pop()
        elif change.specialist and found[-1:] != [change.specialist]:
            found.append(change.specialist)
    return found


def _rollback_hint(root: Path, name: str) -> str:
    """For who names the specialist instead of its line."""
    if name in read_promoted(root).current():
        return f"Name its line: lilliput learn rollback {_line(name)}"
    return "`lilliput learn list` shows what there is."


def _replaced(root: Path, name: str) -> Iterator[tuple[str, str]]:
    """The lines that this specialist took over, and what answered there."""
    for line, changes in read_promoted(root).lines.items():
        if changes and changes[-1].replaced_by == name and (was := _stack(changes)):
            yield line, was[-1]


def is_there(roots: Sequence[Path], specialist: str) -> bool:
    return file_of(roots, specialist, f"{specialist}.yaml") is not None


def file_of(roots: Sequence[Path], specialist: str, name: str) -> Path | None:
    """A file about a specialist: of the strongest root that has its card, or of a stronger one.

    So a workspace may have evidence of its own about a shipped specialist, and one of its own that is called
    like a shipped one has nothing of that.
    """
    for root in reversed(roots):
        folder = root / FOLDER / specialist
        if (folder / name).is_file():
            return folder / name
        if (folder / f"{specialist}.yaml").is_file():
            return None
    return None


def texts_of(roots: Sequence[Path], model: str) -> frozenset[str]:
    """Hashes of what a specialist, or its twin, has learnt from, scrubbed and as written; none, for others.

    Those of before `IDENTITY` 2 stand for texts without the signs in which names end, and are marked so too.
    Raises UserError where its lineage cannot be read.
    """
    file = file_of(roots, model.removesuffix("-f32"), "lineage.json")
    if file is None:
        return frozenset()
    try:
        lineage = json.loads(file.read_text("utf-8"))
        learnt = [text for found in lineage["texts"].values() for text in found]
        learnt += lineage.get("written", ())
        old = lineage.get("identity", 1) < IDENTITY
    except (ValueError, LookupError, TypeError, AttributeError):
        raise UserError(
            f"{file} is damaged: it does not tell what {model} has learnt from.", hint="Train it again."
        ) from None
    return frozenset([*learnt, *(BARE + text for text in learnt if old)])


def insist_on_gate(roots: Sequence[Path], name: str) -> None:
    """Raises UserError for a specialist without evidence, or one that was refused."""
    if not is_there(roots, name):
        known = [found.name for root in roots for found in (root / FOLDER).glob("*-*") if found.is_dir()]
        raise UnknownName("specialist", name, known)
    file = file_of(roots, name, EVIDENCE)
    if file is None:
        raise UserError(f"{name} has not been through its gate.", hint=f"Type: lilliput learn gate {name}")
    passed, reasons = _found(file)
    if not passed:
        raise UserError(
            f"{name} did not pass its gate: {'; '.join(reasons)}.",
            hint="What answers now goes on answering.",
        )


def _found(evidence: Path) -> tuple[bool, list[str]]:
    try:
        found = json.loads(evidence.read_text("utf-8"))
        return found["passed"] is True, [str(reason) for reason in found["reasons"]]
    except (ValueError, LookupError, TypeError):
        name = evidence.parent.name
        hint = f"Judge it again: lilliput learn gate {name}"
        raise UserError(f"{evidence} is damaged.", hint=hint) from None


def _alone(root: Path) -> AbstractContextManager[object]:
    """Who answers is decided and written by one process at a time."""
    return locked(root / FOLDER / "locks" / "promoted.lock")


def _write(root: Path, changed: Mapping[str, Change]) -> None:
    """By line, all in one step."""
    if changed:
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
