"""One attempt to get a specialist: which agent, from what, what is known so far; a folder under state_dir.

    learning/<name>/project.json      this, and the reports of the steps that are done
                    examples.jsonl    what may be learnt from: scrubbed, each text once
                    work/             a training under way, with what it needs to go on after a kill

Nothing that was not scrubbed is ever written here: what `collect` keeps are the places of texts in the
records or in a file, and not the texts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from orchestrator.errors import ContentError, UnknownName, UserError
from orchestrator.store.files import replace_text
from orchestrator.types import Json, Name, Record

OWN = "the user's own data"  # the licence of what is learnt from, where nothing else is said


class LogSource(Record):
    """Steps of the records. `since` and `until` are times of a run's start, as ISO 8601."""

    kind: Literal["logs"] = "logs"
    since: str = ""
    until: str = "~"
    workflow: str | None = None


class FileSource(Record):
    """A table or JSON lines with a text and a label in each row; its hash when it was collected.

    `label` None: texts alone, to be answered. `split` names the column that says which rows are to learn
    from, to choose by and to judge by; None: the hash of a text decides. `public`: nothing is taken out of
    the texts. `given`: what is always the same among the agent's inputs.
    """

    kind: Literal["file"] = "file"
    path: Path
    sha256: str
    text: str
    label: str | None
    split: str | None = None
    public: bool = False
    licence: str = OWN
    given: Json = {}


class Collected(Record):
    """What `collect` found: places of steps (`RUN/STEP`) or rows, and what was left out and why."""

    places: tuple[str, ...]
    left_out: dict[str, int] = {}
    collected_at: str


class Project(Record):
    """`fixed`: the values of the agent's inputs that define the task, such as its labels."""

    name: Name
    agent: Name
    fixed: Json = {}
    source: LogSource | FileSource
    collected: Collected | None = None


def folder_of(state_dir: Path, name: str) -> Path:
    return state_dir / "learning" / name


def save_project(state_dir: Path, project: Project) -> None:
    replace_text(
        folder_of(state_dir, project.name) / "project.json", project.model_dump_json(indent=2) + "\n"
    )


def open_project(state_dir: Path, name: str) -> Project:
    """Raises UnknownName, or ContentError for a file that was changed by hand and no longer fits."""
    file = folder_of(state_dir, name) / "project.json"
    try:
        return Project.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        known = [found.parent.name for found in (state_dir / "learning").glob("*/project.json")]
        hint = None if known else f"Begin one: lilliput learn collect {name} --agent AGENT"
        raise UnknownName("learning project", name, known, hint=hint) from None
    except ValidationError as error:
        raise ContentError(f"no learning project: {error.errors()[0]['msg']}", file=file) from None


def need_collected(project: Project) -> Collected:
    """Raises UserError with the command that comes first."""
    if project.collected is None:
        raise UserError(
            f"Nothing has been collected for {project.name!r} yet.",
            hint=f"Type: lilliput learn collect {project.name} --agent {project.agent}",
        )
    return project.collected


def insist_on_name(name: str) -> None:
    """Raises UserError for what cannot name a folder and a card."""
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        raise UserError(
            f"{name!r} is no name.", hint="Use small letters, digits and dashes, such as tickets."
        ) from None
    if name.rpartition("-")[2].isdigit():
        raise UserError(
            f"{name!r} could be a specialist's name: those of line tickets are called tickets-1, tickets-2.",
            hint="Let the name end in a letter.",
        )
