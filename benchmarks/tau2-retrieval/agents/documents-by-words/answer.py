"""BM25 over whole documents: what any search box does."""

from __future__ import annotations

from typing import Any

import numpy as np

from orchestrator.agent import Call
from orchestrator.kit.wordindex import word_index
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    files = sorted(call.find_folder(inputs["folder"]).glob("*.md"))
    index = word_index(tuple(file.read_text("utf-8") for file in files))
    many = inputs.get("many") or call.spec.options["many"]
    order = np.argsort(-index.scores(inputs["text"]), kind="stable")[:many]
    return Answer(output={"files": [files[place].name for place in order]})
