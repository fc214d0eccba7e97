"""Names of people that no rule announces: "can Jan de Vries in accounts get a key?".

Recall comes first: what is taken for a name becomes a placeholder in training data, which costs a specialist
little, and a name that stays is somebody's. Three signs, each enough:

    a given name (lists of twelve locales, from the package Faker); without a capital only where few texts
    hold it, and at the head of a sentence only where it is no usual word ("Server", "Will")
    a capital in the middle of a sentence, on a word that few texts hold and none holds without it
    what follows such a word with a capital, or behind particles ("van den")

Few: below `FEW` texts. Product names and places come back, and what many wrote tells about none of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from itertools import chain

FEW = 5
_LOCALES = (
    *("nl_NL", "nl_BE", "en_GB", "en_US", "fr_FR", "de_DE"),
    *("tr_TR", "pl_PL", "es_ES", "it_IT", "pt_PT", "ro_RO"),
)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"(?:^|[.!?:;\n\"“(•*-])\s*$")
_PARTICLES = frozenset(
    (
        "van",
        "von",
        "de",
        "den",
        "der",
        "het",
        "ten",
        "ter",
        "te",
        "la",
        "le",
        "el",
        "al",
        "bin",
        "ben",
        "di",
        "da",
        "dos",
        "du",
        "op",
    )
)
# Written with a capital, and nobody's name.
_USUAL_WORDS = """monday tuesday wednesday thursday friday saturday sunday january february march april may
june july august september october november december english dutch french german belgian i maandag dinsdag
woensdag donderdag vrijdag zaterdag zondag januari februari maart mei juni juli augustus oktober nederlands
engels frans duits belgisch nederland belgië vlaanderen"""
_USUAL = frozenset(_USUAL_WORDS.split())


class Words:
    """In how many texts each word stands, with and without a capital. Of all texts that are learnt from."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.plain: Counter[str] = Counter()
        self.capital: Counter[str] = Counter()
        for text in texts:
            found = {match.group() for match in _WORD.finditer(text)}
            self.plain.update(word for word in found if word.islower())
            self.capital.update({word.casefold() for word in found if not word.islower()})

    def is_rare(self, word: str) -> bool:
        """Few wrote it, and nobody as an ordinary word."""
        folded = word.casefold()
        return self.capital[folded] < FEW and not self.plain[folded] and folded not in _USUAL


@cache
def given_names() -> frozenset[str]:
    """In lower case. Two letters and fewer are left out: they are words in one of the languages."""
    lists = (
        getattr(import_module(f"faker.providers.person.{locale}").Provider, kind, ())
        for locale in _LOCALES
        for kind in ("first_names", "first_names_male", "first_names_female", "first_names_unisex")
    )
    return frozenset(name.casefold() for name in chain(*lists) if len(name) > 2)


def find_names(text: str, words: Words) -> Iterator[tuple[int, int]]:
    """(start, end) of each, in order and apart from one another."""
    tokens = list(_WORD.finditer(text))
    place = 0
    while place < len(tokens):
        if _begins_a_name(text, tokens[place], tokens[place + 1 : place + 2], words):
            last = _last_of_name(text, tokens, place, words)
            yield tokens[place].start(), tokens[last].end()
            place = last
        place += 1


def _begins_a_name(text: str, token: re.Match[str], after: list[re.Match[str]], words: Words) -> bool:
    word, heads = token.group(), _SENTENCE_END.search(text, 0, token.start())
    folded = word.casefold()
    capital_follows = bool(after) and not after[0].group().islower() and words.is_rare(after[0].group())
    if folded in given_names():
        if word.islower():
            return words.plain[word] < FEW
        return not heads or capital_follows or words.plain[folded] < FEW
    if word.islower() or word.isupper() or not words.is_rare(word):
        return False
    # At the head of a sentence any word has a capital: what follows must speak for a name.
    return not heads or capital_follows or bool(after and after[0].group() in _PARTICLES)


def _last_of_name(text: str, tokens: list[re.Match[str]], first: int, words: Words) -> int:
    """Surnames, initials and particles that follow without a mark.

    Behind a given name without a capital also a word that nobody else wrote.
    """
    last = first
    for place in range(first + 1, min(first + 6, len(tokens))):
        between = text[tokens[place - 1].end() : tokens[place].start()]
        word = tokens[place].group()
        if between.strip(" .") or "\n" in between:
            break
        if word.casefold() in _PARTICLES and not between.strip():
            continue
        lower_too = tokens[first].group().islower() and words.plain[word] == 1
        if word.casefold() in _USUAL or (word.islower() and not lower_too):
            break
        last = place
    return last
