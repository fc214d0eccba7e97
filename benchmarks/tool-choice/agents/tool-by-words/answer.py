"""Count shared words: how many of a function's own words the text says, and how many of the text's it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.agent import Call
from orchestrator.kit.words import coverage, split_name, word_set
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    said = word_set(inputs["text"])
    shares = [overlap(said, tool) for tool in inputs["tools"]]
    best = max(range(len(shares)), key=lambda place: shares[place])
    fits = shares[best] >= inputs.get("least", 0.0)
    return Answer(output={"tool": inputs["tools"][best]["name"] if fits else None})


def overlap(said: frozenset[str], tool: Mapping[str, Any]) -> float:
    about = word_set(f"{split_name(tool['name'])} {tool.get('description') or ''}")
    return (coverage(about, said) + coverage(said, about)) / 2
