"""Personal data in sentences: presidio-evaluator's templates, filled in with invented values.

Templates are split by their place in the file, and the invented people with them, so that neither a sentence
nor a name that is measured was learned from. Each gap is filled by a hash of the template: the same on every
machine. Streets, towns and countries are one kind, and parts of one address that stand together are one span,
as a person would black them out.
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.bench.cases import Case
from orchestrator.kit.examples import Example, write_examples
from orchestrator.kit.spans import Span, quoted, span_scores, spans_of

_SPLITS = {
    2: "test",
    5: "test",
    8: "test",
    9: "dev",
}  # by the last digit of the place; the rest is to learn from
_FILLINGS = 8
_GAP = re.compile(r"{{\s*(\w+)\s*}}")
_APART = re.compile(r"[\s,]*")

_KINDS = {
    "person": """person name name_female name_male first_name first_name_male first_name_female
        first_name_nonbinary last_name last_name_male last_name_female""",
    "location": """address street_name building_number secondary_address city country postcode zipcode
        state_abbr""",
    "organization": "organization",
    "phone": "phone_number",
    "email": "email",
    "url": "url",
    "credit_card": "credit_card_number",
    "iban": "iban",
    "id_number": "ssn us_driver_license",
    "ip_address": "ip_address",
    "date": "date_of_birth date_time",
    "age": "age",
    "nationality": "nationality nation_woman nation_man nation_plural",
}
KIND_OF = {gap: kind for kind, gaps in _KINDS.items() for gap in gaps.split()}


class Values(NamedTuple):
    """What gaps may be filled with, of one split."""

    people: list[dict[str, str]]
    organizations: list[dict[str, str]]
    nationalities: list[dict[str, str]]
    licences: list[dict[str, str]]


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    """`category` is `test` or `dev`; the id is the line of the template."""
    kinds = sorted(_KINDS)
    for number, text, spans in _filled(files, category):
        inputs = {"text": text, "kinds": kinds}
        yield Case(
            id=f"{category}_{number}", category=category, inputs=inputs, gold=[list(span) for span in spans]
        )


def score(files: Mapping[str, Path], case: Case, answer: Any) -> bool:
    """Every span right and none too many; where there is nothing to find, nothing is found."""
    return answer is not None and _gold(case) == spans_of(answer)


def metrics(pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
    """Span F1 (kind and both ends), and the share of the characters of personal data that any span covers.

    The second is what is hidden when every span is blacked out, whatever it is called.
    """
    known = [(_gold(case), spans_of(answer)) for case, answer in pairs]
    found = span_scores(known)
    wanted = [_characters(gold) for gold, _ in known]
    hidden = [_characters(gold) & _characters(said) for gold, said in known]
    many = sum(map(len, wanted))
    return {
        "span_f1": found["slot_f1"],
        "precision": found["precision"],
        "recall": found["recall"],
        "hidden_characters": sum(map(len, hidden)) / many if many else 1.0,
    }


def materials(files: Mapping[str, Path], folder: Path) -> None:
    write_examples(folder, (Example(text, quoted(text, spans)) for _, text, spans in _filled(files, "train")))


def training(files: Mapping[str, Path]) -> Iterator[Case]:
    """Each of the sentences to learn from, filled in many times."""
    for seed in range(1, _FILLINGS + 1):
        for number, text, spans in _filled(files, "train", seed):
            gold = [list(span) for span in spans]
            yield Case(id=f"train_{seed}_{number}", category="train", inputs={"text": text}, gold=gold)


def fill(template: str, values: Values, seed: str) -> tuple[str, list[Span]]:
    """The sentence, and where the personal data stand in it. Raises ValueError for an unknown gap."""
    chance = random.Random(seed)
    person = chance.choice(values.people)
    text, place = "", 0
    spans: list[Span] = []
    for gap in _GAP.finditer(template):
        text += template[place : gap.start()]
        place = gap.end()
        value = _value(gap[1], person, values, chance)
        if gap[1] in KIND_OF:
            _add(spans, Span(KIND_OF[gap[1]], len(text), len(text) + len(value)), text)
        text += value
        # The next person in the sentence is somebody else.
        person = chance.choice(values.people) if KIND_OF.get(gap[1]) == "person" else person
    return text + template[place:], spans


def _add(spans: list[Span], new: Span, text: str) -> None:
    """Parts of an address with nothing but commas and spaces between them are one span."""
    last = spans[-1] if spans else None
    if last and last.kind == new.kind == "location" and _APART.fullmatch(text[last.end :]):
        spans[-1] = Span(last.kind, last.start, new.end)
    else:
        spans.append(new)


def _value(gap: str, person: dict[str, str], values: Values, chance: random.Random) -> str:
    if gap not in _MAKERS:
        raise ValueError(f"no value is known for a gap of type {gap!r}")
    return _MAKERS[gap](person, values, chance)


Maker = Callable[[dict[str, str], Values, random.Random], str]


def _of_person(template: str) -> Maker:
    return lambda person, values, chance: template.format(**person)


def _either(*makers: Maker) -> Maker:
    return lambda person, values, chance: chance.choice(makers)(person, values, chance)


def _digits(many: int, chance: random.Random) -> str:
    return "".join(chance.choice("0123456789") for _ in range(many))


def _card(person: dict[str, str], values: Values, chance: random.Random) -> str:
    """Sixteen digits whose last makes the Luhn sum (ISO/IEC 7812-1) a multiple of ten."""
    head = chance.choice("45") + _digits(14, chance)
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(head)]
    check = -sum(digit // 10 + digit % 10 for digit in doubled) % 10
    number = f"{head}{check}"
    return chance.choice((number, " ".join(re.findall("....", number))))


def _iban(person: dict[str, str], values: Values, chance: random.Random) -> str:
    """Belgian or German, with the check digits of ISO 13616."""
    country, length = chance.choice((("BE", 12), ("DE", 18)))
    account = _digits(length, chance)
    moved = account + "".join(str(int(letter, 36)) for letter in country) + "00"
    return f"{country}{98 - int(moved) % 97:02}{account}"


def _listed(table: str, column: str) -> Maker:
    return lambda person, values, chance: chance.choice(getattr(values, table))[column]


def _ip(person: dict[str, str], values: Values, chance: random.Random) -> str:
    return ".".join(str(chance.randint(1, 254)) for _ in range(4))


def _ssn(person: dict[str, str], values: Values, chance: random.Random) -> str:
    return f"{chance.randint(100, 665)}-{chance.randint(10, 99)}-{_digits(4, chance)}"


def _words(*words: str) -> Maker:
    return lambda person, values, chance: chance.choice(words)


_FIRST, _LAST = _of_person("{GivenName}"), _of_person("{Surname}")
_FULL = _of_person("{GivenName} {Surname}")
_MAKERS: dict[str, Maker] = {
    **{gap: _FIRST for gap in KIND_OF if gap.startswith("first_name")},
    **{gap: _LAST for gap in KIND_OF if gap.startswith("last_name")},
    **dict.fromkeys(("person", "name", "name_female", "name_male"), _FULL),
    "address": _either(
        _of_person("{StreetAddress}, {City} {ZipCode}"),
        _of_person("{StreetAddress}, {ZipCode} {City}, {CountryFull}"),
    ),
    "street_name": _words(
        "Oak Street", "Mill Lane", "Station Road", "Kerkstraat", "Avenida Sol", "Elm Drive"
    ),
    "building_number": lambda person, values, chance: str(chance.randint(1, 400)),
    "secondary_address": lambda person, values, chance: (
        f"{chance.choice(('Apt.', 'Suite'))} {chance.randint(1, 99)}"
    ),
    "city": _of_person("{City}"),
    "country": _of_person("{CountryFull}"),
    "postcode": _of_person("{ZipCode}"),
    "zipcode": _of_person("{ZipCode}"),
    "state_abbr": _words("CA", "NY", "TX", "WA", "OH", "IL"),
    "organization": _listed("organizations", "organization"),
    "phone_number": _either(
        _of_person("{TelephoneNumber}"), _of_person("+{TelephoneCountryCode} {TelephoneNumber}")
    ),
    "email": _of_person("{EmailAddress}"),
    "url": _either(_of_person("https://www.{Domain}"), _of_person("http://{Domain}/")),
    "credit_card_number": _card,
    "iban": _iban,
    "ssn": _ssn,
    "us_driver_license": _listed("licences", "us_driver_license"),
    "ip_address": _ip,
    "date_of_birth": _of_person("{Birthday}"),
    "date_time": _of_person("{Birthday}"),
    "age": _of_person("{Age}"),
    "nationality": _listed("nationalities", "nationality"),
    "nation_woman": _listed("nationalities", "woman"),
    "nation_man": _listed("nationalities", "man"),
    "nation_plural": _listed("nationalities", "plural"),
    # Nobody's personal data by themselves:
    "prefix": _words("Mr.", "Ms.", "Dr."),
    "prefix_male": _words("Mr.", "Dr."),
    "prefix_female": _words("Mrs.", "Ms."),
    "job": _of_person("{Occupation}"),
    "year": lambda person, values, chance: str(chance.randint(1950, 2020)),
    "day_of_week": _words("Monday", "Tuesday", "Thursday", "Saturday"),
}


def _gold(case: Case) -> frozenset[Span]:
    return frozenset(Span(*span) for span in case.gold)


def _characters(spans: frozenset[Span]) -> set[int]:
    return {place for span in spans for place in range(span.start, span.end)}


def _filled(files: Mapping[str, Path], split: str, seed: int = 1) -> Iterator[tuple[int, str, list[Span]]]:
    names = ("people", "organizations", "nationalities", "licences")
    values = Values(*(_of_split(_table(files[f"{name}.csv"]), split) for name in names))
    lines = files["templates.txt"].read_text("utf-8").splitlines()
    for number, template in enumerate(lines):
        if template.strip() and _SPLITS.get(number % 10, "train") == split:
            # Some templates hold a line break in writing.
            text, spans = fill(template.strip().replace("\\n", "\n"), values, f"{seed}/{number}")
            yield number, text, spans


def _of_split(rows: list[dict[str, str]], split: str) -> list[dict[str, str]]:
    return [row for place, row in enumerate(rows) if _SPLITS.get(place % 10, "train") == split]


def _table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return [
            {key: (value or "").strip() for key, value in row.items() if key}
            for row in csv.DictReader(stream)
        ]
