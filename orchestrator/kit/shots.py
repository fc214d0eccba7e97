"""Worked examples in a folder: `shots.jsonl`, one `{"text": …, "shown": …, "answer": …}` a line.

Labelled examples (`examples.py`) show a text and its label. A shot shows what an agent would be shown and the
JSON that it should answer, so it serves any agent: choosing, calling, planning. `text` is what is compared
with the text at hand, `shown` is what stands in the prompt.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.errors import InvalidInput

FILE = "shots.jsonl"


class Shot(NamedTuple):
    text: str
    shown: str
    answer: Any


def read_shots(folder: Path) -> tuple[Shot, ...]:
    """Raises InvalidInput with file and line. A file is read again only after it was changed."""
    file = folder / FILE
    if not file.is_file():
        hint = 'A line is {"text": …, "shown": …, "answer": …}.'
        raise InvalidInput(f"There is no {FILE} in {str(folder)!r}.", hint=hint)
    return _read(file, file.stat().st_mtime_ns)


def write_shots(folder: Path, shots: Iterable[Shot]) -> None:
    lines = [json.dumps(shot._asdict(), ensure_ascii=False) for shot in shots]
    (folder / FILE).write_text("\n".join(lines) + "\n", "utf-8")


@lru_cache(maxsize=8)
def _read(file: Path, _: int) -> tuple[Shot, ...]:
    lines = enumerate(file.read_text("utf-8").splitlines(), start=1)
    found = tuple(_shot(file, number, line) for number, line in lines if line.strip())
    if not found:
        raise InvalidInput(f"{file} holds no example.")
    return found


def _shot(file: Path, number: int, line: str) -> Shot:
    try:
        row = json.loads(line)
        text, shown, answer = row["text"], row["shown"], row["answer"]
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        form = '{"text": …, "shown": …, "answer": …}'
        raise InvalidInput(f"{file}:{number}: a line is {form}: {error!r}.") from None
    if not isinstance(text, str) or not isinstance(shown, str):
        raise InvalidInput(f"{file}:{number}: `text` and `shown` are strings.")
    return Shot(text, shown, answer)
