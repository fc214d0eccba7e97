"""Find personal data by exact rules and put placeholders in its place.

A number is only called an IBAN, BSN or national number when its checksum holds. The same value gets the
same placeholder, whatever its spacing or case, so that a reader still sees who is who.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from orchestrator.agent import Call
from orchestrator.types import Answer


class Found(NamedTuple):
    kind: str
    start: int
    end: int


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    text: str = inputs["text"]
    found = find(text)
    placeholders = _placeholders(text, found)
    output = {
        "text": _replaced(text, found, placeholders),
        "found": [
            {"kind": item.kind, "placeholder": name, "start": item.start, "end": item.end}
            for item, name in zip(found, placeholders, strict=True)
        ],
        "counts": dict(Counter(item.kind for item in found)),
    }
    return Answer(output=output, reason=f"{len(found)} found")


def find(text: str) -> list[Found]:
    """Everything found, in order, without overlaps: the more certain kind wins."""
    taken: list[Found] = []
    for finder in _FINDERS:
        # What one finder yields may come in any order, and overlap; what is taken stays sorted.
        for item in finder(text):
            place = bisect_left(taken, item.start, key=lambda other: other.start)
            free_before = place == 0 or taken[place - 1].end <= item.start
            free_after = place == len(taken) or item.end <= taken[place].start
            if free_before and free_after:
                taken.insert(place, item)
    return taken


# --- numbers with a checksum ----------------------------------------------------------------------------


def is_iban(compact: str) -> bool:
    """ISO 13616: the right length for its country, and mod 97 = 1 with letters as 10 to 35."""
    if len(compact) != _IBAN_LENGTHS.get(compact[:2]) or not compact[2:4].isdigit():
        return False
    rotated = compact[4:] + compact[:4]
    return int("".join(str(int(character, 36)) for character in rotated)) % 97 == 1


def is_bsn(digits: str) -> bool:
    """The Dutch eleven test: 9a + 8b + ... + 2h - i is a multiple of 11."""
    if len(digits) != 9 or not int(digits):
        return False
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True)) % 11 == 0


def is_national_number(digits: str) -> bool:
    """Belgian: 97 minus the first nine digits mod 97; a leading 2 is added for births from 2000 on.

    The month is raised by 20 or 40 in numbers for people who are not in the national register.
    """
    if len(digits) != 11 or int(digits[2:4]) % 20 > 12 or int(digits[2:4]) > 52 or int(digits[4:6]) > 31:
        return False
    check = int(digits[9:])
    return any(97 - int(century + digits[:9]) % 97 == check for century in ("", "2"))


# Lengths from the IBAN registry, for the countries of the single euro payments area.
_LENGTHS = """AD24 AT20 BE16 BG22 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FR27 GB22 GI23 GR27 HR21 HU28 IE22
IS26 IT27 LI21 LT20 LU20 LV21 MC27 MT31 NL18 NO15 PL28 PT25 RO24 SE24 SI19 SK24 SM27 VA22"""
_IBAN_LENGTHS = {item[:2]: int(item[2:]) for item in _LENGTHS.split()}
_IBAN = re.compile(r"\b([A-Za-z]{2})\d{2}(?:[ .-]?[A-Za-z0-9]){11,30}")
_BSN = re.compile(r"(?<![\w.])(?:\d{9}|\d{4}\.\d{2}\.\d{3}|\d{3}([ .])\d{3}\1\d{3})(?![\w]|\.\d)")
_NATIONAL = re.compile(r"(?<![\w.])\d{2}[. ]?\d{2}[. ]?\d{2}[- ]?\d{3}[. ]?\d{2}(?!\w)")


def _ibans(text: str) -> Iterator[Found]:
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(match[1].upper())
        end = _end_after(text, match.start(), length) if length else None
        if end and end <= match.end() and is_iban(_compact(text[match.start() : end])):
            yield Found("IBAN", match.start(), end)


def _end_after(text: str, start: int, characters: int) -> int | None:
    """Where the given number of letters and digits is complete, marks between them not counted."""
    seen = 0
    for place in range(start, len(text)):
        seen += text[place].isalnum()
        if seen == characters:
            ends_a_word = place + 1 == len(text) or not text[place + 1].isalnum()
            return place + 1 if ends_a_word else None
    return None


def _bsns(text: str) -> Iterator[Found]:
    for match in _BSN.finditer(text):
        if is_bsn(_digits(match.group())):
            yield Found("BSN", match.start(), match.end())


def _national_numbers(text: str) -> Iterator[Found]:
    for match in _NATIONAL.finditer(text):
        if is_national_number(_digits(match.group())):
            yield Found("NATIONAL_NUMBER", match.start(), match.end())


# --- e-mail and phone -----------------------------------------------------------------------------------

# Starts at the first character and never gives one back (`++`): else a long word costs its length squared.
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[A-Za-z]{2,24}")
_PHONE = re.compile(r"(?<![\w+.,-])(?:(?:\+|00)\s?[1-9]|\(?0[1-9])(?:[ ()./-]{0,3}\d){6,14}(?!\w)")
_DATE = re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{2,4}")
# Digits in all: national numbers in the Netherlands and Belgium; E.164 with its country code.
_NATIONAL_DIGITS = (9, 10)
_INTERNATIONAL_DIGITS = (8, 15)


def _emails(text: str) -> Iterator[Found]:
    for match in _EMAIL.finditer(text):
        yield Found("EMAIL", match.start(), match.end())


def _phones(text: str) -> Iterator[Found]:
    for match in _PHONE.finditer(text):
        written = match.group()
        abroad = written.startswith(("+", "00"))
        low, high = _INTERNATIONAL_DIGITS if abroad else _NATIONAL_DIGITS
        count = len(_digits(written.removeprefix("00").replace("(0)", "")))
        if low <= count <= high and not _DATE.match(written):
            yield Found("PHONE", match.start(), match.end())


# --- names ----------------------------------------------------------------------------------------------

_PARTICLE = r"(?:van|von|de|den|der|het|ten|ter|te|la|le|el|bin|'t)"
_CAPITAL = r"(?:[A-ZÀ-ÖØ-Þ]\.){1,4}|[A-ZÀ-ÖØ-Þ][\w’'-]+"
_NAME = rf"(?:{_CAPITAL})(?:[ ](?:{_PARTICLE}[ ]){{0,3}}(?:{_CAPITAL})){{0,3}}"
_SURNAME = rf"(?:{_PARTICLE}[ ]){{0,3}}{_NAME}"
_TITLE = r"(?i:mrs?|ms|dr|drs|ir|ing|prof|dhr|mevr|mw)\.?|(?i:mister|madam|mevrouw|meneer|de heer)"
_GREETING = (
    r"(?i:dear|hi|hello|hey|good (?:morning|afternoon)|beste|hallo|hoi|dag|geachte|goede(?:morgen|middag))"
)
_SIGN_OFF = (
    r"(?i:(?:kind|best|warm|many) regards|regards|sincerely|yours (?:sincerely|faithfully|truly)|cheers|best"
    r"|many thanks|thanks|thank you|met (?:vriendelijke|hartelijke) groet(?:en)?|vriendelijke groet(?:en)?"
    r"|hartelijke groet(?:en)?|groet(?:en|jes)?|mvg|alvast bedankt|bedankt)"
)
# After these a name follows even without a comma.
_GREETS = (
    r"(?i:(?:(?:kind|best|warm|many) )?regards|mvg"
    r"|(?:met )?(?:(?:vriendelijke|hartelijke) )?groet(?:en|jes)?)"
)
_SAYS_NAME = r"(?i:my name is|the name is|mijn naam is|ik heet|mijn naam:|name:|naam:)"
_NAMES = [
    re.compile(rf"\b(?:{_TITLE})[ ]({_SURNAME})"),
    re.compile(rf"{_SAYS_NAME}[ ]({_NAME})"),
    re.compile(rf"^[ \t]*{_GREETING}[ ](?:(?:{_TITLE})[ ])?({_SURNAME})[ \t]*(?=[,!.\n])", re.MULTILINE),
    re.compile(
        rf"^[ \t]*{_SIGN_OFF}[ \t]*[,.!]?[ \t]*\n(?:[ \t]*\n)?[ \t]*({_NAME})[ \t]*(?=$|[,.])", re.MULTILINE
    ),
    re.compile(rf"(?:^|[.!?][ ]){_SIGN_OFF}[ \t]*,[ \t]*({_NAME})[ \t]*(?=$|[,.])", re.MULTILINE),
    re.compile(rf"(?:^|[.!?][ ]){_GREETS}[ \t]+({_NAME})[ \t]*(?=$|[,.])", re.MULTILINE),
]
# Words that follow a greeting or a sign-off and are nobody's name.
_NOT_NAMES = """all team everyone everybody sir madam colleague colleagues customer support helpdesk
servicedesk service desk it hr there allen collega collega's collegas heer mevrouw meneer iedereen klant
klantenservice afdeling administratie sales finance office"""
_NOBODY = frozenset(_NOT_NAMES.split())


_WORD = re.compile(r"\w++")


def _names(text: str) -> Iterator[Found]:
    """Where the text announces a name, and then every other place where that name stands."""
    announced = {name for pattern in _NAMES for match in pattern.finditer(text) if (name := match[1])}
    people = {name for name in announced if not _NOBODY & set(name.lower().split())}
    firsts = {name.split()[0] for name in people if len(name.split()[0]) > 2 and "." not in name.split()[0]}
    words: dict[str, list[int]] = {}
    for match in _WORD.finditer(text) if people else ():
        words.setdefault(match.group(), []).append(match.start())
    for name in sorted(people | firsts, key=len, reverse=True):
        first = _WORD.search(name)
        for start in words.get(first.group(), ()) if first else ():
            begin = start - first.start()
            end = begin + len(name)
            if text.startswith(name, begin) and not _WORD.match(text, end):
                yield Found("NAME", begin, end)


_FINDERS: tuple[Callable[[str], Iterator[Found]], ...] = (
    _emails,
    _ibans,
    _national_numbers,
    _bsns,
    _phones,
    _names,
)


# --- placeholders ---------------------------------------------------------------------------------------


def _placeholders(text: str, found: list[Found]) -> list[str]:
    names: dict[tuple[str, str], str] = {}
    counts: Counter[str] = Counter()
    made = []
    for item in found:
        value = text[item.start : item.end]
        key = (item.kind, value if item.kind == "NAME" else _compact(value))
        if key not in names:
            counts[item.kind] += 1
            names[key] = f"[{item.kind}_{counts[item.kind]}]"
        made.append(names[key])
    return made


def _replaced(text: str, found: list[Found], placeholders: list[str]) -> str:
    pieces, place = [], 0
    for item, placeholder in zip(found, placeholders, strict=True):
        pieces += [text[place : item.start], placeholder]
        place = item.end
    return "".join([*pieces, text[place:]])


def _digits(text: str) -> str:
    return "".join(character for character in text if character in "0123456789")


def _compact(text: str) -> str:
    return re.sub(r"[\s().\-/]", "", text).upper()
