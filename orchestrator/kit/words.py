"""Words of a text, for lexical overlap: lower case, lightly stemmed, without function words.

The stemmer only cuts common endings so that `calculates` meets `calculation`; it is no linguist. The
stop list holds English and Dutch, because both languages arrive in one inbox.
"""

from __future__ import annotations

import re

_ENGLISH = """a an the of for to in on at by with from and or is are was were be been am this that these those
it its as into about me my i you your we our us he she his her they their them please can could would
should do does did has have had will if so not no but than then there here what which how who when
where why"""
_DUTCH = """de het een en of van voor naar in op aan bij met uit om te is zijn was waren wordt worden ben bent
dit dat deze die ik jij je jouw u uw wij we ons onze hij zij ze haar hun mijn mij me er hier daar
als dan niet geen wel ook nog maar wat welke hoe wie wanneer waar waarom kan kunt kunnen zou wil
graag heb hebt heeft hebben moet"""
STOP_WORDS = frozenset(_ENGLISH.split()) | frozenset(_DUTCH.split())

_ENDINGS = (
    *("ations", "ation", "ating", "ators", "ator", "ates", "ated", "ate"),
    *("ings", "ing", "ies", "ers", "er", "ed", "es", "s", "e", "y"),
)
_SHORTEST_STEM = 3
_WORD = re.compile(r"[^\W_]+")
_JOINT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_.\-/]+")


def split_name(name: str) -> str:
    """`getFishCatch`, `get_fish_catch` and `fish.get-catch` as separate words."""
    return _JOINT.sub(" ", name).strip()


def stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)]
    return word


def all_words(text: str) -> list[str]:
    """Every stemmed content word in order, with repeats."""
    return [stem(word) for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]


def word_set(text: str) -> frozenset[str]:
    return frozenset(all_words(text))


def coverage(needed: frozenset[str], present: frozenset[str]) -> float:
    """The share of `needed` that is in `present`; 0 when nothing is needed."""
    return len(needed & present) / len(needed) if needed else 0.0
