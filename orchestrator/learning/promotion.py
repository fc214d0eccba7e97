"""Whether a specialist may answer: its evidence must be about the very model whose place it takes.

A pass against a weak opponent, or with a wide margin, says nothing about what answers now. Where no
specialist does the work yet, evidence that comes with a shipped specialist counts as it is: a fresh workspace
has no rows to make any with, and what came with a release was not made to please who promotes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from orchestrator.errors import UserError
from orchestrator.learning import shelf
from orchestrator.learning.gate import MARGIN, GateResult
from orchestrator.learning.incumbent import answering, incumbent_of, work_of
from orchestrator.learning.shown import specialism_of
from orchestrator.workspace import Workspace


def insist_on_place(
    workspace: Workspace, reference: str, specialist: str, *, accept_margin: bool = False
) -> None:
    """Raises UserError for evidence against another model than answers now, or with a wide margin."""
    trained = specialism_of(workspace, specialist)
    shelf.insist_on_gate(workspace.roots, specialist)
    workspace.refresh()
    if workspace.card(specialist).role == "crew":
        return  # it answers already
    found, work = evidence_of(workspace.roots, specialist), work_of(trained)
    needs = workspace.agent(trained.agent).needs
    now = incumbent_of(workspace.cards, work, needs, reference, but=specialist)
    taken = bool(answering(workspace.cards, work, but=specialist))
    if found.incumbent != now and (taken or not _is_shipped(workspace.roots, specialist)):
        raise UserError(
            f"{specialist} passed its gate against {found.incumbent or 'a model that is not named'}, "
            f"and {now} is what answers now.",
            hint=f"Hold it against that: lilliput learn gate {specialist}",
        )
    if found.margin > MARGIN and not accept_margin:
        raise UserError(
            f"The gate of {specialist} let it be {_points(found.margin)} points worse than {found.incumbent},"
            f" and {_points(MARGIN)} are usual.",
            hint=f"Judge it again: lilliput learn gate {specialist}. "
            f"Or accept that: lilliput learn promote {specialist} --accept-margin",
        )


def insist_on_margin(margin: float, *, accept_margin: bool) -> None:
    """Before anything is trained. Raises UserError for a margin with which nothing would be promoted."""
    if margin > MARGIN and not accept_margin:
        raise UserError(
            f"With a margin of {_points(margin)} points nothing is promoted unless you say so; "
            f"{_points(MARGIN)} are usual.",
            hint="Leave --margin out, or accept that: --accept-margin",
        )


def evidence_of(roots: Sequence[Path], specialist: str) -> GateResult:
    """Of one that has been through its gate. Raises UserError where it cannot be read."""
    file = shelf.file_of(roots, specialist, shelf.EVIDENCE)
    try:
        return GateResult.model_validate_json(file.read_bytes() if file else b"")
    except ValidationError:
        hint = f"Judge it again: lilliput learn gate {specialist}"
        raise UserError(f"The evidence of {specialist} is damaged ({file}).", hint=hint) from None


def _is_shipped(roots: Sequence[Path], specialist: str) -> bool:
    """Whether its evidence came with it: none was made here."""
    file = shelf.file_of(roots, specialist, shelf.EVIDENCE)
    return file is not None and not file.is_relative_to(roots[-1])


def _points(margin: float) -> str:
    return f"{100 * margin:.3g}"
