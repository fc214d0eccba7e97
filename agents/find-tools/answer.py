"""The first stage of choosing among more tools than a generator can read, and than belong into every input.

Meaning by cosine and words by BM25, one sum. The file is read and indexed and its cards are embedded once;
a text then costs one short embedding. On 200 requests of Seal-Tools dev over 4,076 tools (recall at 1 / 5):
cosine 0.79 / 0.93, BM25 0.90 / 0.97, their sum 0.92 / 0.98; the weights of choose-tool, which were fitted
on sets of one to four tools, 0.82 / 0.96.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from orchestrator.agent import Call
from orchestrator.errors import InvalidInput
from orchestrator.kit.toolschema import card_text
from orchestrator.kit.wordindex import WordIndex
from orchestrator.kit.words import split_name
from orchestrator.types import Answer

FILE = "tools.jsonl"


class Catalogue(NamedTuple):
    tools: tuple[dict[str, Any], ...]
    cards: tuple[str, ...]
    words: WordIndex


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    options, text = call.spec.options, inputs["text"]
    catalogue = read_catalogue(call.find_folder(inputs["folder"]))
    cards = await call.embed(catalogue.cards, keep=True)
    (wanted,) = await call.embed([text])
    weight = options["weight_cosine"]
    scores = weight * np.clip(cards @ wanted, 0.0, 1.0) + (1 - weight) * catalogue.words.scores(text)
    best = [
        int(place) for place in np.argsort(-scores, kind="stable")[: inputs.get("many") or options["many"]]
    ]
    output = {
        "tools": [catalogue.tools[place] for place in best],
        "names": [catalogue.tools[place]["name"] for place in best],
        "scores": [round(float(scores[place]), 4) for place in best],
    }
    return Answer(output=output, reason=f"{len(best)} of {len(catalogue.tools)}")


def read_catalogue(folder: Path) -> Catalogue:
    """Raises InvalidInput with file and line. The file is read again only after it was changed."""
    file = folder / FILE
    if not file.is_file():
        hint = 'A line is {"name": …, "description": …, "parameters": …}.'
        raise InvalidInput(f"There is no {FILE} in {str(folder)!r}.", hint=hint)
    return _read(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read(file: Path, _: int) -> Catalogue:
    lines = enumerate(file.read_text("utf-8").splitlines(), start=1)
    tools = tuple(_tool(file, number, line) for number, line in lines if line.strip())
    if not tools:
        raise InvalidInput(f"{file} holds no tool.")
    cards = tuple(map(card_text, tools))
    # The name counts twice: a request is likelier to say it than a word of the description.
    return Catalogue(
        tools, cards, WordIndex([f"{split_name(t['name'])} {c}" for t, c in zip(tools, cards, strict=True)])
    )


def _tool(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        tool = json.loads(line)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{file}:{number}: not JSON: {error}.") from None
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
        raise InvalidInput(f"{file}:{number}: a tool is an object with a `name`.")
    return tool
