"""How long logged work may be learnt from, and that what is too old is deleted.

    configs/learning.yaml     agents: {label: {days: 90}}

What was taken from logs lies in `examples.jsonl` of a project, scrubbed. Every use of it deletes first what
its agent no longer allows; `lilliput learn sweep` does that alone, for a nightly job. A specialist keeps what
it has learnt: its folder holds hashes of texts, and no texts. Rows of a person's own file have no such time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator.learning.examples import Example, read_examples, write_examples
from orchestrator.learning.project import LogSource, folder_of, open_project
from orchestrator.records import utc_now
from orchestrator.store.files import remove
from orchestrator.types import Record

EXAMPLES, SCRUBBED = "examples.jsonl", "scrubbed.json"
_WORK = ("work", "tries")
_NEVER = "~"  # sorts behind every time


class Allowed(Record):
    """That an agent's logged work may be learnt from, and how old it may be."""

    days: int


class Opened(Record):
    """`configs/learning.yaml`: the agents whose logged work may be learnt from."""

    agents: Mapping[str, Allowed] = {}


def oldest_allowed(agent: str, allowed: Mapping[str, Allowed]) -> str:
    """From when on work of that agent may be learnt from, as ISO 8601; never, where it was not opened."""
    if agent not in allowed:
        return _NEVER
    return (datetime.fromisoformat(utc_now()) - timedelta(days=allowed[agent].days)).isoformat()


def sweep(state_dir: Path, allowed: Mapping[str, Allowed]) -> int:
    """Delete from every project what is too old by now. Returns how many examples went."""
    return sum(
        sweep_project(state_dir, file.parent.name, allowed)
        for file in sorted((state_dir / "learning").glob("*/project.json"))
    )


def sweep_project(state_dir: Path, name: str, allowed: Mapping[str, Allowed]) -> int:
    """Of one project."""
    project, folder = open_project(state_dir, name), folder_of(state_dir, name)
    file = folder / EXAMPLES
    if not isinstance(project.source, LogSource) or not file.is_file():
        return 0
    known = list(read_examples(file))
    kept = fresh(known, oldest_allowed(project.agent, allowed))
    if len(kept) == len(known):
        return 0
    write_examples(file, kept)
    for stale in _WORK:
        remove(folder / stale)
    return len(known) - len(kept)


def fresh(examples: Sequence[Example], oldest: str) -> list[Example]:
    """Those that were recorded from `oldest` on, and those without a time."""
    return [each for each in examples if each.recorded_at is None or each.recorded_at >= oldest]
