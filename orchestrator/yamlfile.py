"""YAML with line numbers, so that an error can say where.

`read_yaml` and `parse_yaml` return plain data plus a map from a path in it (`("steps", 0, "agent")`) to
a line of the file. A key given twice is an error, because YAML would drop the first one silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from orchestrator.errors import ContentError

ModelT = TypeVar("ModelT", bound=BaseModel)
PathInData = tuple[str | int, ...]


class YamlFile:
    """Data, and the line on which each part of it starts (1-based)."""

    def __init__(self, file: Path, data: Any, lines: dict[PathInData, int]) -> None:
        self.file = file
        self.data = data
        self._lines = lines

    def line_of(self, path: Sequence[str | int]) -> int:
        """Line of the deepest part of `path` that is in the file."""
        known = tuple(path)
        while known and known not in self._lines:
            known = known[:-1]
        return self._lines.get(known, 1)

    def error(self, message: str, path: Sequence[str | int] = (), *, hint: str | None = None) -> ContentError:
        return ContentError(message, file=self.file, line=self.line_of(path), hint=hint)

    def validate(self, model: type[ModelT], data: Any = None) -> ModelT:
        """Build `model` from the data; the first thing that is wrong becomes a ContentError with its line."""
        try:
            return model.model_validate(self.data if data is None else data)
        except ValidationError as error:
            # A misspelt field is also a missing one; the misspelling is what the user can see.
            first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
            raise self.error(_explain(model, first), first["loc"]) from None


def read_yaml(file: Path) -> YamlFile:
    """Read a mapping from a file. Raises ContentError."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(f"cannot be read as UTF-8 text: {error}", file=file) from error
    return parse_yaml(text, file)


def parse_yaml(text: str, file: Path, first_line: int = 1) -> YamlFile:
    """Parse a mapping that starts on `first_line` of `file`."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + first_line if mark else first_line
        problem = getattr(error, "problem", None) or str(error)
        raise ContentError(f"not YAML: {problem}", file=file, line=line) from None
    if not isinstance(data, dict):
        raise ContentError("expected `name: value` lines at the top level", file=file, line=first_line)
    lines: dict[PathInData, int] = {}
    _collect(node, (), lines, first_line, file)
    return YamlFile(file, data, lines)


def _collect(
    node: yaml.Node | None, path: PathInData, lines: dict[PathInData, int], first: int, file: Path
) -> None:
    if node is None:
        return
    lines.setdefault(path, node.start_mark.line + first)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, key.value)
            line = key.start_mark.line + first
            if inner in lines:
                raise ContentError(f"{key.value!r} is given twice", file=file, line=line)
            lines[inner] = line
            _collect(value, inner, lines, first, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect(value, (*path, index), lines, first, file)


def _explain(model: type[BaseModel], error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] == "missing":
        return f"`{where}` is missing"
    if error["type"] == "extra_forbidden":
        known = ", ".join(sorted(field.alias or name for name, field in model.model_fields.items()))
        return f"`{where}` is not a known field" + (f"; there is: {known}" if len(error["loc"]) == 1 else "")
    message = str(error["msg"]).removeprefix("Value error, ")
    given = "" if isinstance(error["input"], dict | list) else f" (got {error['input']!r})"
    return f"`{where}`: {message}{given}"
