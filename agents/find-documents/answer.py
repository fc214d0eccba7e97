"""Rank whole documents for a long request: meaning by cosine, words by BM25, one sum.

A long request speaks of several things, and an encoder reads only its beginning. So it is cut into parts of
some sentences, and a document is as near as it is to them on average. On the 25 development tasks of tau2
banking (698 documents; capped recall at 5): BM25 0.26, one vector a request 0.27, parts 0.32, parts and
BM25 0.43; passages instead of documents 0.32.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from orchestrator.agent import Call
from orchestrator.errors import InvalidInput
from orchestrator.kit.wordindex import WordIndex
from orchestrator.types import Answer

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


class Library(NamedTuple):
    files: tuple[str, ...]
    texts: tuple[str, ...]
    words: WordIndex


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    options, text = call.spec.options, inputs["text"]
    library = read_library(call.find_folder(inputs["folder"]))
    documents = await call.embed(library.texts, keep=True)
    parts = await call.embed(parts_of(text, options["part_characters"]))
    near = np.clip((documents @ parts.T).mean(axis=1), 0.0, 1.0)
    weight = options["weight_cosine"]
    scores = weight * near + (1 - weight) * library.words.scores(text)
    many = inputs.get("many") or options["many"]
    best = [int(place) for place in np.argsort(-scores, kind="stable")[:many]]
    start = options["start_characters"]
    output = {
        "files": [library.files[place] for place in best],
        "starts": [" ".join(library.texts[place].split())[:start] for place in best],
        "scores": [round(float(scores[place]), 4) for place in best],
    }
    return Answer(output=output, reason=f"{len(best)} of {len(library.files)}")


def parts_of(text: str, characters: int) -> list[str]:
    """Neighbouring sentences together while they stay short; a text without any is one part."""
    parts: list[str] = []
    for sentence in filter(None, map(str.strip, _SENTENCE.split(text))):
        if parts and len(parts[-1]) + len(sentence) < characters:
            parts[-1] = f"{parts[-1]} {sentence}"
        else:
            parts.append(sentence)
    return parts or [text]


def read_library(folder: Path) -> Library:
    """Every Markdown file below the folder; read again only after one was changed."""
    files = sorted(path for path in folder.rglob("*.md") if path.is_file())
    if not files:
        raise InvalidInput(f"Folder {str(folder)!r} holds no Markdown (*.md) files.")
    return _read(folder, tuple((file, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=4)
def _read(folder: Path, state: tuple[tuple[Path, int], ...]) -> Library:
    texts = tuple(file.read_text("utf-8").lstrip("# ") for file, _ in state)
    return Library(tuple(str(file.relative_to(folder)) for file, _ in state), texts, WordIndex(texts))
