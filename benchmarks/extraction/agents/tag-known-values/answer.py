"""A word list: from left to right, the longest words that were a span in an example, with its usual kind."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Any

from orchestrator.agent import Call
from orchestrator.kit.examples import Example, read_examples
from orchestrator.kit.spans import Span, part_of, read_quoted
from orchestrator.types import Answer

_WORD = re.compile(r"\w+(?:[’'.-]\w+)*|[^\w\s]")


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    text = inputs["text"]
    spans = tag(text, known_values(read_examples(call.find_folder(inputs["folder"]))))
    return Answer(output={"spans": [part_of(text, *span) for span in spans]})


@lru_cache(maxsize=16)
def known_values(examples: tuple[Example, ...]) -> dict[tuple[str, ...], str]:
    """The most frequent kind of each value, as lower-case words."""
    kinds: dict[tuple[str, ...], Counter[str]] = {}
    for example in examples:
        for kind, words in read_quoted(example.label or '{"spans": []}'):
            kinds.setdefault(tuple(_WORD.findall(words.lower())), Counter())[kind] += 1
    return {words: counts.most_common(1)[0][0] for words, counts in kinds.items() if words}


def tag(text: str, known: dict[tuple[str, ...], str]) -> list[Span]:
    words = list(_WORD.finditer(text))
    longest = max(map(len, known), default=0)
    found, place = [], 0
    while place < len(words):
        for many in range(min(longest, len(words) - place), 0, -1):
            key = tuple(word.group().lower() for word in words[place : place + many])
            if key in known:
                found.append(Span(known[key], words[place].start(), words[place + many - 1].end()))
                place += many
                break
        else:
            place += 1
    return found
