"""The tools with most words in common, each after the one that the text speaks of before."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call
from orchestrator.kit.plangraph import chain
from orchestrator.kit.words import all_words, coverage, split_name, word_set
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    many = inputs.get("many") or call.spec.options["many"]
    words = all_words(inputs["text"])
    said = frozenset(words)
    cards = {tool["name"]: _words(tool) for tool in inputs["tools"]}
    best = sorted(cards, key=lambda name: -coverage(cards[name], said))[:many]
    return Answer(output={"steps": chain(sorted(best, key=lambda name: _mention(cards[name], words)))})


def _words(tool: dict[str, Any]) -> frozenset[str]:
    return word_set(f"{split_name(tool['name'])} {tool.get('description') or ''}")


def _mention(card: frozenset[str], words: list[str]) -> float:
    """Where the text speaks of it, on average; at the end where it does not."""
    places = [place for place, word in enumerate(words) if word in card]
    return sum(places) / len(places) if places else len(words)
