"""Labelled examples in a folder: `examples.jsonl`, one `{"text": …, "label": … or null}` a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.errors import InvalidInput

FILE = "examples.jsonl"


class Example(NamedTuple):
    """`label` None: none of the labels fits."""

    text: str
    label: str | None


def read_examples(folder: Path) -> tuple[Example, ...]:
    """Raises InvalidInput with file and line. A file is read again only after it was changed."""
    file = folder / FILE
    if not file.is_file():
        raise InvalidInput(
            f"There is no {FILE} in {str(folder)!r}.", hint='A line is {"text": …, "label": …}.'
        )
    return _read(file, file.stat().st_mtime_ns)


def without_neighbours(answer: Any) -> Any:
    """What was answered, without the example that it was found by: that may be somebody else's row."""
    return (
        {name: value for name, value in answer.items() if name != "nearest"}
        if isinstance(answer, dict)
        else answer
    )


def write_examples(folder: Path, examples: Iterable[Example]) -> None:
    lines = [json.dumps(example._asdict(), ensure_ascii=False) for example in examples]
    (folder / FILE).write_text("\n".join(lines) + "\n", "utf-8")


@lru_cache(maxsize=8)
def _read(file: Path, _: int) -> tuple[Example, ...]:
    lines = enumerate(file.read_text("utf-8").splitlines(), start=1)
    found = tuple(_example(file, number, line) for number, line in lines if line.strip())
    if not found:
        raise InvalidInput(f"{file} holds no example.")
    return found


def _example(file: Path, number: int, line: str) -> Example:
    try:
        row = json.loads(line)
        text, label = row["text"], row["label"]
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise InvalidInput(f'{file}:{number}: a line is {{"text": …, "label": …}}: {error!r}.') from None
    if not isinstance(text, str) or not (label is None or isinstance(label, str)):
        raise InvalidInput(f"{file}:{number}: `text` is a string, `label` a string or null.")
    return Example(text, label)
