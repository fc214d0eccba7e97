"""Score every tool against the text, and take the best one when it is likely to fit at all.

A specialist that was trained for this judges each tool with the text in sight. Without one there are three
cheap signals: the cosine between the text and the tool's card (name, description, argument names), and
two word overlaps that an encoder blurs: how much of the tool's name and description the text mentions, and
how much of its required arguments' names. A logistic function with calibrated weights makes one probability
of them. One number both ranks and decides whether to abstain.
The encoder and the stop words are English; a Dutch text against English tools leans on the cosine alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.agent import Call
from orchestrator.kit.toolschema import card_text
from orchestrator.kit.words import coverage, split_name, word_set
from orchestrator.runtimes.base import PairScorer
from orchestrator.types import Answer

TRAINED_THRESHOLD = 0.5  # a specialist's scores are probabilities
FEATURES = ("cosine", "tool_words", "argument_words")


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    tools: list[dict[str, Any]] = inputs["tools"]
    if not tools:
        return _abstain("there are no tools to choose from", 0.0, None, None)
    trained = call.offers(PairScorer)
    fits = await (_judged if trained else _weighed)(inputs["text"], tools, call)
    order = np.argsort(-fits, kind="stable")
    best, score = tools[order[0]], float(fits[order[0]])
    second = int(order[1]) if len(tools) > 1 else None
    runner_up = None if second is None else str(tools[second]["name"])
    margin = None if second is None else round(score - float(fits[second]), 4)
    given = inputs.get("threshold")
    own = TRAINED_THRESHOLD if trained else call.spec.options["threshold"]
    threshold = own if given is None else given
    if score < threshold:
        reason = f"the best, {best['name']}, fits with {score:.2f}, which is below {threshold:.2f}"
        return _abstain(reason, score, margin, runner_up)
    reason = f"{best['name']} fits with {score:.2f}" + (f", next {runner_up}" if runner_up else "")
    return Answer(output=_output(best, score, margin, runner_up, reason), confidence=score, reason=reason)


async def _judged(text: str, tools: Sequence[Mapping[str, Any]], call: Call) -> NDArray[np.float64]:
    return (await call.score_pairs([(text, card_text(tool)) for tool in tools])).astype(np.float64)


async def _weighed(text: str, tools: Sequence[Mapping[str, Any]], call: Call) -> NDArray[np.float64]:
    cosines = await _cosines(text, tools, call)
    return probabilities(features(text, tools, cosines), call.spec.options["weights"])


def features(
    text: str, tools: Sequence[Mapping[str, Any]], cosines: NDArray[np.float32]
) -> NDArray[np.float64]:
    """One row a tool, one column for each of FEATURES."""
    said = word_set(text)
    rows = [[float(cosine), *_overlaps(said, tool)] for tool, cosine in zip(tools, cosines, strict=True)]
    return np.array(rows, dtype=np.float64)


def probabilities(rows: NDArray[np.float64], weights: Mapping[str, float]) -> NDArray[np.float64]:
    """The probability that each tool fits, from the weights by feature name and `bias`."""
    logits = rows @ np.array([weights[name] for name in FEATURES]) + weights["bias"]
    made: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-logits))
    return made


async def _cosines(text: str, tools: Sequence[Mapping[str, Any]], call: Call) -> NDArray[np.float32]:
    cards = await call.embed([card_text(tool) for tool in tools], keep=True)
    (wanted,) = await call.embed([text])
    made: NDArray[np.float32] = cards @ wanted
    return made


def _overlaps(said: frozenset[str], tool: Mapping[str, Any]) -> tuple[float, float]:
    about = word_set(f"{split_name(tool['name'])} {tool.get('description') or ''}")
    required = (tool.get("parameters") or {}).get("required") or []
    arguments = word_set(" ".join(split_name(name) for name in required))
    return coverage(about, said), coverage(arguments, said)


def _output(
    tool: Mapping[str, Any] | None, score: float, margin: float | None, runner_up: str | None, reason: str
) -> dict[str, Any]:
    return {
        "tool": tool["name"] if tool else None,
        "definition": dict(tool) if tool else None,
        "score": round(score, 4),
        "margin": margin,
        "runner_up": runner_up,
        "reason": reason,
    }


def _abstain(reason: str, score: float, margin: float | None, runner_up: str | None) -> Answer:
    output = _output(None, score, margin, runner_up, reason)
    return Answer(output=output, abstained=True, confidence=1.0 - score, reason=reason)
