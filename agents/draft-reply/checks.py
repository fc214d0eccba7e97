"""A reply must say something, in the right language, and nothing that its sources do not say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from orchestrator.kit.grounding import flat, numbers_in
from orchestrator.kit.words import coverage, word_set

_PLACEHOLDER = re.compile(
    r"\[[^\]\n]{1,40}\]|\{\{?[^}\n]*\}?\}|<[A-Za-z][^>\n]{0,40}>|\bX{3,}\b|\blorem\b", re.I
)
_CONTACT = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w|(?:https?://|www\.)[^\s)>\]]*\w")
_LIST_NUMBER = re.compile(r"^\s*\d{1,2}[.)]\s", re.MULTILINE)
# Words that are frequent in one language and absent from the others: enough to tell them apart, no more.
_FREQUENT = {
    "en": "the and you your is are to of for with please this that it can will have be",
    "nl": "de het een en u je uw jouw is zijn van voor met dit dat kunt kan niet bij naar",
    "de": "der die das und sie ihr ist sind von mit für nicht ein eine zu auf",
    "fr": "le la les et vous votre est sont de pour avec ce un une dans sur",
}
_TELLTALE = {code: frozenset(words.split()) for code, words in _FREQUENT.items()}
_MIN_WORDS = 4
_FROM_PASSAGE = 0.5


def check_says_something(inputs: Mapping[str, Any], output: Any) -> str | None:
    count = len(_middle(output).split())
    return None if count >= _MIN_WORDS else f"the reply has only {count} words"


def check_no_placeholder(inputs: Mapping[str, Any], output: Any) -> str | None:
    found = _PLACEHOLDER.search(output["reply"])
    return f"{found.group()!r} is a placeholder that nobody filled in" if found else None


def check_nothing_invented(inputs: Mapping[str, Any], output: Any) -> str | None:
    """Addresses, links and numbers must come from the inputs."""
    given = json.dumps(dict(inputs), ensure_ascii=False)
    for contact in _CONTACT.findall(output["reply"]):
        if flat(contact) not in flat(given):
            return f"{contact!r} is not in the message or the passage"
    invented = _digits(_LIST_NUMBER.sub("", output["reply"])) - numbers_in(given)
    return f"the number {min(invented)} is not in the message or the passage" if invented else None


def check_from_passage(inputs: Mapping[str, Any], output: Any) -> str | None:
    """Half of the words must be the passage's: small models like to send the message back instead."""
    passage = inputs.get("passage")
    if not passage or coverage(word_set(_middle(output)), word_set(passage)) >= _FROM_PASSAGE:
        return None
    return "the reply hardly uses the passage"


def check_language(inputs: Mapping[str, Any], output: Any) -> str | None:
    """Roughly: more telltale words of the wanted language than of any other one."""
    wanted = inputs["language"]
    if wanted not in _TELLTALE:
        return None
    words = re.findall(r"[^\W\d_]+", _middle(output).lower())
    counts = {code: sum(word in telltale for word in words) for code, telltale in _TELLTALE.items()}
    best = max(counts, key=lambda code: (counts[code], code == wanted))
    return None if best == wanted else f"the reply seems to be in {best!r} instead of {wanted!r}"


def _middle(output: Any) -> str:
    """Without greeting and closing, which are not the model's words."""
    parts = output["reply"].split("\n\n")
    return "\n\n".join(parts[1:-1]) if len(parts) > 2 else str(output["reply"])


def _digits(text: str) -> frozenset[Any]:
    return numbers_in(" ".join(re.findall(r"\d[\d.,]*", text)))
