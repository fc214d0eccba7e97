"""How long logged work may be learnt from, and that what is too old is deleted.

    configs/learning.yaml     agents: {label: {days: 90}}

What was taken from logs lies in `examples.jsonl` of a project, scrubbed. Every use of it deletes first what
its agent no longer allows; `lilliput learn sweep` does that alone, for a nightly job. A specialist keeps what
it has learnt: its folder holds hashes of texts, and no texts. Rows of a person's own file have no such time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from orchestrator.errors import LilliputError
from orchestrator.learning.examples import Example, lines_of, read_examples, write_examples
from orchestrator.learning.project import LogSource, folder_of, open_project
from orchestrator.learning.scrub import Raw
from orchestrator.records import utc_now
from orchestrator.store.files import remove
from orchestrator.types import Record

Dated = TypeVar("Dated", Example, Raw)
EXAMPLES, SCRUBBED = "examples.jsonl", "scrubbed.json"
WORK = ("work", "tries")
_NEVER = "~"  # sorts behind every time


class Allowed(Record):
    """That an agent's logged work may be learnt from, and how old it may be."""

    days: int = Field(gt=0, le=36_500)


class Opened(Record):
    """`configs/learning.yaml`: the agents whose logged work may be learnt from."""

    agents: Mapping[str, Allowed] = {}


def oldest_allowed(agent: str, allowed: Mapping[str, Allowed]) -> str:
    """From when on work of that agent may be learnt from, as ISO 8601; never, where it was not opened."""
    if agent not in allowed:
        return _NEVER
    return (datetime.fromisoformat(utc_now()) - timedelta(days=allowed[agent].days)).isoformat()


def sweep(state_dir: Path, allowed: Mapping[str, Allowed]) -> int:
    """Delete from every project what is too old by now. Returns how many examples went.

    Raises the first ContentError of a damaged project after all the others were swept.
    """
    gone, damaged = 0, None
    for file in sorted((state_dir / "learning").glob("*/project.json")):
        try:
            gone += sweep_project(state_dir, file.parent.name, allowed)
        except LilliputError as error:
            damaged = damaged or error
    if damaged:
        raise damaged
    return gone


def sweep_project(state_dir: Path, name: str, allowed: Mapping[str, Allowed]) -> int:
    """Of one project. What was made of the examples goes before them: a kill between is made up for."""
    project, folder = open_project(state_dir, name), folder_of(state_dir, name)
    file = folder / EXAMPLES
    if not isinstance(project.source, LogSource) or not file.is_file():
        return 0
    known = list(read_examples(file)) if project.agent in allowed else []
    kept = fresh(known, oldest_allowed(project.agent, allowed))
    if project.agent in allowed and len(kept) == len(known):
        return 0
    gone = len(known) - len(kept) or len(lines_of(file))
    for stale in WORK:
        remove(folder / stale)
    write_examples(file, kept)
    return gone


def fresh(found: Iterable[Dated], oldest: str) -> list[Dated]:
    """Those that were recorded from `oldest` on, and those without a time."""
    return [each for each in found if each.recorded_at is None or each.recorded_at >= oldest]
