"""Does a value occur in a text, in the same or in an equivalent notation?

Used by checks that catch invented answers: `1,250.00` grounds 1250, `3 mei 2026` grounds 2026-05-03,
`twelve` grounds 12. Ambiguous notations count in every reading (`1.234` is 1234 and 1.234; `03/04/2026` is
in March and in April), so that a check refuses only what no reading supports.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january january jan januari",
            "february feb februari",
            "march mar maart mrt",
            "april apr",
            "may mei",
            "june jun juni",
            "july jul juli",
            "august aug augustus",
            "september sep sept",
            "october oct oktober okt",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_ISO_DATE = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_SHORT_DATE = re.compile(r"(?<!\d)(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d{2})(?!\d)")
_DAY_FIRST = re.compile(rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|e)?\s+(?:of\s+)?({_MONTH})\b\.?,?\s*(\d{{4}})?")
_MONTH_FIRST = re.compile(rf"\b({_MONTH})\b[.\s]*(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s*(\d{{4}}))?")

_NUMBER = re.compile(r"\d(?:[\d.,'’\u00a0\u202f]*\d)?|(?<!\w)\.\d+")
_SCALES = {
    "%": "0.01",
    "percent": "0.01",
    "procent": "0.01",
    "k": "1000",
    "thousand": "1000",
    "duizend": "1000",
}
_SCALES |= {"m": "1000000", "million": "1000000", "miljoen": "1000000"}
_SCALES |= {"billion": "1000000000", "miljard": "1000000000", "hundred": "100", "honderd": "100"}
_SCALE = re.compile(
    r"\s*%|\s*(?:percent|procent|k|thousand|duizend|million|miljoen|m|billion|miljard|hundred|honderd)\b"
)
_ENGLISH_NUMBERS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen twenty"""
_DUTCH_NUMBERS = """nul een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien
zestien zeventien achttien negentien twintig"""
_NUMBER_WORDS = {
    word: Decimal(value)
    for names in (_ENGLISH_NUMBERS, _DUTCH_NUMBERS)
    for value, word in enumerate(names.split())
}
_NUMBER_WORDS |= {"één": Decimal(1), "half": Decimal("0.5"), "halve": Decimal("0.5"), "dozen": Decimal(12)}
_NUMBER_WORDS |= {"dozijn": Decimal(12), "single": Decimal(1), "double": Decimal(2), "couple": Decimal(2)}
_NUMBER_WORDS |= {"once": Decimal(1), "twice": Decimal(2), "pair": Decimal(2), "hundred": Decimal(100)}
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_NUMBER_WORDS |= {word: Decimal(10 * value) for value, word in enumerate(_TENS, start=2)}
# From this length on, spacing may differ: models join words over a line break, and space out numbers.
_UNSPACED = 8
_WORDS = re.compile(r"[^\W\d_]+")


def flat(text: str) -> str:
    """Case, width and spacing removed, so that only the words count."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def occurs(value: Any, text: str) -> bool:
    """Is every part of the value in the text? None, booleans and empty values claim nothing."""
    if value is None or isinstance(value, bool) or value in ("", [], {}):
        return True
    if isinstance(value, dict):
        return all(occurs(item, text) for item in value.values())
    if isinstance(value, list | tuple):
        return all(occurs(item, text) for item in value)
    if isinstance(value, int | float | Decimal):
        return number_occurs(value, text)
    return _string_occurs(str(value), text)


def number_occurs(value: float | Decimal, text: str) -> bool:
    """Signs are ignored: `a loss of 50` may well be -50."""
    return abs(Decimal(str(value))) in numbers_in(text)


def numbers_in(text: str) -> frozenset[Decimal]:
    """Every number that the text can be read to hold, digits and small number words."""
    low = text.lower()
    words = {_NUMBER_WORDS[word] for word in _WORDS.findall(low) if word in _NUMBER_WORDS}
    return frozenset(words | set(_digits_in(low)))


def dates_in(text: str) -> frozenset[dt.date]:
    """Every date that the text can be read to hold. A date without a year is not one."""
    low = text.lower()
    parts: list[tuple[str, str, str]] = []
    parts += [(year, month, day) for year, month, day in _ISO_DATE.findall(low)]
    for first, second, year in _SHORT_DATE.findall(low):
        parts += [(year, second, first), (year, first, second)]
    parts += [(year, str(_MONTHS[month]), day) for day, month, year in _DAY_FIRST.findall(low) if year]
    parts += [(year, str(_MONTHS[month]), day) for month, day, year in _MONTH_FIRST.findall(low) if year]
    return frozenset(day for part in parts if (day := _date(*part)) is not None)


def values_in(value: Any) -> Iterator[Any]:
    """Every scalar inside nested lists and objects."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from values_in(item)
    else:
        yield value


def _string_occurs(value: str, text: str) -> bool:
    needle = flat(value).strip(" .,;:!?\"'")
    if needle in flat(text) or (len(needle) >= _UNSPACED and _unspaced(needle) in _unspaced(flat(text))):
        return True
    if dates := dates_in(value):
        return bool(dates & dates_in(text))
    number = _as_number(needle)
    return number is not None and abs(number) in numbers_in(text)


def _unspaced(text: str) -> str:
    return text.replace(" ", "")


def _as_number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _digits_in(text: str) -> Iterator[Decimal]:
    for match in _NUMBER.finditer(text):
        scale = _SCALE.match(text, match.end())
        for number in _readings(match.group()):
            yield number
            if scale:
                yield number * Decimal(_SCALES[scale.group().strip()])


def _readings(digits: str) -> Iterator[Decimal]:
    """`1.234,5` has one reading, `1.234` has two: the last mark may part thousands or decimals."""
    plain = re.sub(r"['’\u00a0\u202f]", "", digits)
    yield Decimal(re.sub(r"[.,]", "", plain) or "0")
    head, mark, tail = _split_at_last_mark(plain)
    if mark:
        yield Decimal(f"{re.sub(r'[.,]', '', head) or '0'}.{tail}")
    for part in re.split(r"[.,]", plain):
        if part:
            yield Decimal(part)


def _split_at_last_mark(digits: str) -> tuple[str, str, str]:
    place = max(digits.rfind("."), digits.rfind(","))
    return (digits, "", "") if place < 0 else (digits[:place], digits[place], digits[place + 1 :])


def _date(year: str, month: str, day: str) -> dt.date | None:
    full = int(year) + (2000 if len(year) == 2 else 0)
    try:
        return dt.date(full, int(month), int(day))
    except ValueError:
        return None
