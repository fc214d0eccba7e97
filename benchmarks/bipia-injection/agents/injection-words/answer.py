"""A sentence with two words from the list of known instructions; the score is their number, out of ten."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from orchestrator.agent import Call
from orchestrator.kit.examples import Example, read_examples
from orchestrator.kit.sentences import sentences
from orchestrator.kit.words import word_set
from orchestrator.types import Answer

_ENOUGH, _MOST = 2, 10


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    listed, text = words_of(read_examples(call.find_folder(inputs["folder"]))), inputs["text"]
    counts = [len(listed & word_set(text[start:end])) for start, end in sentences(text)]
    most = max(counts, default=0)
    return Answer(output={"injected": most >= _ENOUGH, "score": min(most, _MOST) / _MOST})


@lru_cache(maxsize=4)
def words_of(examples: tuple[Example, ...]) -> frozenset[str]:
    """Stemmed words of known instructions that no ordinary sentence has."""
    known = frozenset[str]().union(*(word_set(text) for text, label in examples if label))
    return known - frozenset[str]().union(*(word_set(text) for text, label in examples if not label))
