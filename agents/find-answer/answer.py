"""Hybrid retrieval over Markdown: meaning by cosine, words by BM25, one sum, one threshold.

A passage is a paragraph, list or table under its headings, with the line it starts on. The quote is the
passage word for word, so that a reader can check it; nothing is written here by a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.agent import Call
from orchestrator.errors import InvalidInput
from orchestrator.kit.wordindex import word_index
from orchestrator.types import Answer

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_FENCE = re.compile(r"^\s*(```|~~~)")


class Passage(NamedTuple):
    file: str
    heading: str
    line: int
    text: str

    @property
    def indexed(self) -> str:
        return f"{self.heading}: {self.text}" if self.heading else self.text


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    options = call.spec.options
    passages = read_folder(call.find_folder(inputs["folder"]), options["max_passage_characters"])
    if not passages:
        raise InvalidInput(f"Folder {inputs['folder']!r} holds no text in Markdown (*.md) files.")
    scores = await _scores(inputs["question"], passages, call, options["weight_cosine"])
    best = int(np.argmax(scores))
    score, passage = round(float(scores[best]), 4), passages[best]
    given = inputs.get("min_score")
    least = options["min_score"] if given is None else given
    if score < least:
        nothing = dict.fromkeys(("quote", "file", "heading", "line"))
        reason = f"the nearest, {passage.file}:{passage.line}, scores {score:.2f}, below {least:.2f}"
        return Answer(output={"found": False, **nothing, "score": score}, abstained=True, reason=reason)
    output = {
        "found": True,
        "quote": passage.text,
        "file": passage.file,
        "heading": passage.heading,
        "line": passage.line,
        "score": score,
    }
    return Answer(output=output, confidence=min(score, 1.0), reason=f"{passage.file}:{passage.line}")


async def _scores(
    question: str, passages: Sequence[Passage], call: Call, weight: float
) -> NDArray[np.float64]:
    vectors = await call.embed([passage.indexed for passage in passages], keep=True)
    (asked,) = await call.embed([question])
    cosines = np.clip(vectors @ asked, 0.0, 1.0)
    words = word_index(tuple(passage.indexed for passage in passages)).scores(question)
    made: NDArray[np.float64] = weight * cosines + (1 - weight) * words
    return made


# --- Markdown -------------------------------------------------------------------------------------------


def read_folder(folder: Path, max_characters: int) -> list[Passage]:
    """Every passage of every `*.md` below the folder, in the order of the files' names."""
    files = sorted(path for path in folder.rglob("*.md") if path.is_file())
    return [
        passage
        for path in files
        for passage in split(path.read_text("utf-8"), str(path.relative_to(folder)), max_characters)
    ]


def split(text: str, file: str, max_characters: int) -> Iterator[Passage]:
    """Blocks between blank lines; neighbours under one heading are joined while they stay short."""
    pending: Passage | None = None
    for block in _blocks(text, file):
        joined = f"{pending.text}\n\n{block.text}" if pending else block.text
        if pending and pending.heading == block.heading and len(joined) <= max_characters:
            pending = pending._replace(text=joined)
            continue
        if pending:
            yield pending
        pending = block
    if pending:
        yield pending


def _blocks(text: str, file: str) -> Iterator[Passage]:
    headings: list[str] = []
    block: list[str] = []
    start, fenced = 0, False
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if _FENCE.match(line):
            fenced = not fenced
        heading = None if fenced else _HEADING.match(line)
        if (heading or not line.strip()) and not fenced:
            if block:
                yield Passage(file, " > ".join(headings), start, "\n".join(block))
            block = []
            if heading:
                headings = [*headings[: len(heading[1]) - 1], heading[2]]
            continue
        if not block:
            start = number
        block.append(line.rstrip())
    if block:
        yield Passage(file, " > ".join(headings), start, "\n".join(block))
