"""Which specialists answer: `models/specialists/promoted.yaml`, one history a line, the newest last.

A line is a succession of specialists for one task (`tickets-1`, `tickets-2`); at most one of them answers.
The file is replaced in one step and read again when it has changed, so that a running server follows
within a request, and who promotes or rolls back never has to stop it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.errors import ContentError
from orchestrator.types import Name, Record
from orchestrator.yamlfile import read_yaml

_DAMAGED = (
    "Bring it back from a backup. Or delete it: then no specialist of this workspace answers until you type: "
    "lilliput learn promote NAME"
)
FILE = Path("models/specialists/promoted.yaml")


class Change(Record):
    """From `at` on this specialist answers; None: none of its line does.

    `replaced_by`: a specialist of another line that answers the same work from then on. `back`: what answered
    before was rolled back.
    """

    specialist: Name | None
    at: str
    why: str
    replaced_by: Name | None = None
    back: bool = False


class Promoted(Record):
    """By line."""

    lines: Mapping[str, tuple[Change, ...]] = {}

    def current(self) -> frozenset[str]:
        last = (changes[-1].specialist for changes in self.lines.values() if changes)
        return frozenset(name for name in last if name)


def read_promoted(root: Path) -> Promoted:
    """Of one workspace; empty where nothing was ever promoted. Raises ContentError for a damaged file."""
    file = root / FILE
    if not file.is_file():
        return Promoted()
    try:
        yaml = read_yaml(file)
        if "lines" not in yaml.data:
            raise yaml.error("`lines` is missing")
        return yaml.validate(Promoted)
    except ContentError as error:
        said = error.message.partition(": ")[2]
        raise ContentError(f"damaged: {said}", file=file, line=error.line, hint=_DAMAGED) from None


def stamp(roots: Sequence[Path]) -> tuple[tuple[int, int] | None, ...]:
    """Changes whenever one of the files does: a replaced file is another one, even within a clock tick."""
    return tuple(_stamp(root / FILE) for root in roots)


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
