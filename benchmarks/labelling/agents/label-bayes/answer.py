"""Multinomial naive Bayes, add-one smoothing, lower-case words, fitted on the examples that all arms have."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache
from typing import Any, NamedTuple

from orchestrator.agent import Call
from orchestrator.kit.examples import Example, read_examples
from orchestrator.types import Answer

_WORD = re.compile(r"\w+")


class Fitted(NamedTuple):
    documents: Counter[str | None]
    words: dict[str | None, Counter[str]]
    vocabulary: int


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    fitted = fit(read_examples(call.find_folder(inputs["folder"])))
    words = _WORD.findall(inputs["text"].lower())
    label = max(fitted.documents, key=lambda name: likelihood(fitted, name, words))
    return Answer(output={"label": label})


@lru_cache(maxsize=4)
def fit(examples: tuple[Example, ...]) -> Fitted:
    words: dict[str | None, Counter[str]] = {}
    for example in examples:
        words.setdefault(example.label, Counter()).update(_WORD.findall(example.text.lower()))
    vocabulary = len(set().union(*words.values()))
    return Fitted(Counter(example.label for example in examples), words, vocabulary)


def likelihood(fitted: Fitted, label: str | None, words: list[str]) -> float:
    counts = fitted.words[label]
    total = counts.total() + fitted.vocabulary
    return math.log(fitted.documents[label]) + sum(math.log((counts[word] + 1) / total) for word in words)
