"""Names of people that no rule announces: "can Jan de Vries in accounts get a key?".

Recall comes first: what is taken for a name becomes a placeholder in training data, which costs a specialist
little, and a name that stays is somebody's. Three signs, each enough:

    a given name, of any list, or a word that is in no dictionary; without a capital and at the head of a
    sentence only where few texts hold it, and where it is no usual word ("Server", "will")
    a capital in the middle of a sentence, on a word that few texts hold and none holds without it
    what follows such a word with a capital, or behind particles ("van den")

Few: below `FEW` texts. Product names and places come back, and what many wrote tells about none of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from orchestrator.learning.lexicon import given_names, is_compound, near_given_names, near_surnames, zipf

FEW = 5
# Words below the first are in hardly any text. From the others on a name is more often a word: a name that is
# given far away ("can", "odd"), one that is given here ("will").
_UNKNOWN_BELOW, _FAR_WORD_FROM, _NEAR_WORD_FROM = 3.0, 4.5, 5.6
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
    if word.islower():
        return _is_name_in_lower_case(word, words)
    folded = word.casefold()
    if folded in _USUAL:
        return False
    capital_follows = bool(after) and not after[0].group().islower() and words.is_rare(after[0].group())
    if _is_given(folded):
        return not heads or capital_follows or words.plain[folded] < FEW
    if word.isupper() or not words.is_rare(word):
        return False
    # At the head of a sentence any word has a capital: it, or what follows, must speak for a name.
    particle_follows = bool(after) and after[0].group() in _PARTICLES
    return not heads or capital_follows or particle_follows or _is_unknown(folded)


def _is_name_in_lower_case(word: str, words: Words) -> bool:
    plain = _stem(word)
    if words.plain[word] >= FEW or word in _PARTICLES or word in _USUAL or len(plain) < 3:
        return False
    return _is_unknown(plain) or _is_given(plain)


def _is_given(word: str) -> bool:
    limit = _NEAR_WORD_FROM if word in near_given_names() else _FAR_WORD_FROM
    return word in given_names() and zipf(word) < limit


def _is_unknown(word: str) -> bool:
    return zipf(_stem(word)) < _UNKNOWN_BELOW and not is_compound(_stem(word))


def _stem(word: str) -> str:
    """Without a genitive: "marieke's"."""
    return word.removesuffix("'s").removesuffix("’s")


def _last_of_name(text: str, tokens: list[re.Match[str]], first: int, words: Words) -> int:
    """Surnames, initials and particles that follow without a mark, written as the first word is."""
    last, lower = first, tokens[first].group().islower()
    for place in range(first + 1, min(first + 6, len(tokens))):
        between = text[tokens[place - 1].end() : tokens[place].start()]
        word = tokens[place].group()
        if between.strip(" .") or "\n" in between:
            break
        if word.casefold() in _PARTICLES and not between.strip():
            continue
        behind_particle = place - 1 > last
        follows = _may_be_surname(word, words, behind_particle) if lower else not word.islower()
        if word.casefold() in _USUAL or not follows:
            break
        last = place
    return last


def _may_be_surname(word: str, words: Words, behind_particle: bool) -> bool:
    """In lower case, behind a given name: a word that few wrote, and not too usual a one."""
    known = behind_particle or word in near_surnames()
    return words.plain[word] < FEW and zipf(word) < (_NEAR_WORD_FROM if known else _FAR_WORD_FROM)
