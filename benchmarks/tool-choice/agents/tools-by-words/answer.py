"""BM25 over each tool's name (twice), description and arguments: what any search box does."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.agent import Call
from orchestrator.kit.toolschema import card_text
from orchestrator.kit.wordindex import WordIndex
from orchestrator.kit.words import split_name
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    file = call.find_folder(inputs["folder"]) / "tools.jsonl"
    names, index = _read(file, file.stat().st_mtime_ns)
    many = inputs.get("many") or call.spec.options["many"]
    order = np.argsort(-index.scores(inputs["text"]), kind="stable")[:many]
    return Answer(output={"names": [names[place] for place in order]})


@lru_cache(maxsize=4)
def _read(file: Path, _: int) -> tuple[list[str], WordIndex]:
    tools = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    texts = [f"{split_name(tool['name'])} {card_text(tool)}" for tool in tools]
    return [tool["name"] for tool in tools], WordIndex(texts)
