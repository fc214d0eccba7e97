"""The options of `lilliput learn` that name a file to learn from, or to judge by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from orchestrator.learning.learner import Learner
    from orchestrator.learning.project import FileSource

FileOption = Annotated[Path | None, typer.Option("--file", help="A .csv or .jsonl file instead of logs.")]
TextOption = Annotated[str, typer.Option("--text", help="The file's column of texts.")]
LabelOption = Annotated[str, typer.Option("--label", help="Its column of answers.")]
SplitOption = Annotated[
    str | None,
    typer.Option("--split", help="Its column that says train, dev or test; else a text's hash does."),
]
PublicOption = Annotated[bool, typer.Option("--public", help="Its texts are public: take nothing out.")]
LicenceOption = Annotated[str | None, typer.Option("--licence", help="Of the file; your own data otherwise.")]
InputsOption = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", metavar="KEY=VALUE", help="What is the same for all rows of the file."),
]


def given_of(learner: Learner, agent: str, inputs: list[str] | None) -> dict[str, Any]:
    from orchestrator.cli.schema import build_input
    from orchestrator.errors import UnknownName

    schema = learner.workspace.agent(agent).input
    given: dict[str, Any] = build_input(schema, None, inputs or [], {})
    for name in given:
        if name not in schema.get("properties", {}):
            raise UnknownName(f"input of {agent}", name, schema.get("properties", {}))
    return given


def file_source(
    path: Path,
    text: str,
    label: str | None,
    split: str | None = None,
    public: bool = False,
    given: dict[str, Any] | None = None,
    licence: str | None = None,
) -> FileSource:
    from orchestrator.errors import UserError
    from orchestrator.learning.project import OWN, FileSource
    from orchestrator.store.files import sha256_of

    if not path.is_file():
        raise UserError(f"{path} is not there.", hint="Name a .csv or .jsonl file.")
    return FileSource(
        path=path.resolve(),
        sha256=sha256_of(path),
        text=text,
        label=label,
        split=split,
        public=public,
        licence=licence or OWN,
        given=given or {},
    )
