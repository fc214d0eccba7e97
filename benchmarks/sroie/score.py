"""SROIE: who sold, when, where and for how much, from the text lines of a scanned receipt.

Arms see the head of a receipt and the lines about dates and totals, not the goods in between: half the text,
in which (on training rows) 97 % of the totals and 99 % of the other fields still stand. A case's grade is the
share of its four fields that are right, since a wrong address leaves the total as good as it was.

Receipts are split by their place in the file. The same shop may be on both sides, as it is in an office.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from orchestrator.bench.cases import Case, Scored
from orchestrator.kit.examples import Example, write_examples
from orchestrator.kit.grounding import dates_in
from orchestrator.kit.spans import Span, part_of

FIELDS = ("company", "date", "address", "total")
_SPLITS = {
    2: "test",
    5: "test",
    8: "test",
    9: "dev",
}  # by the last digit of the place; the rest is to learn from

_HEAD, _AFTER = 9, 6
_COPIES = 2
_DATE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}"
    r"|\d{1,2}[ -]?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -]?,?\d{2,4}",
    re.IGNORECASE,
)
_ABOUT_TOTALS = re.compile(r"total|amount|cash|change|paid|round|due|net", re.IGNORECASE)
_AMOUNT = re.compile(r"\d+[.,]\s?\d\d")
# With what is written onto it, as in RM96.20: a part of a text begins and ends where a word does.
_PRICE = re.compile(r"[A-Za-z]*\d[\d,]*\.\s?\d\d[A-Za-z]*")
_DIGITS = re.compile(r"\d[\d, ]*(?:\.\d+)?")


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    """`category` is `test`, `dev` or `train`."""
    for row in _rows(files, category):
        inputs = {"text": "\n".join(shown(row["lines"]))}
        yield Case(id=f"{category}_{row['id']}", category=category, inputs=inputs, gold=row["key"])


def score(files: Mapping[str, Path], case: Case, answer: Any) -> Scored:
    """The share of the four fields that are right."""
    right = _right(case, answer)
    missing = [name for name in FIELDS if name not in right]
    return Scored(grade=len(right) / len(FIELDS), kind="+".join(missing) or None)


def metrics(pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
    """Field F1 over all fields (a null claims nothing), the share right of each, and of whole receipts."""
    right = [_right(case, answer) for case, answer in pairs]
    true = sum(
        bool(case.gold[name]) for (case, _), fields in zip(pairs, right, strict=True) for name in fields
    )
    said = sum(bool((answer or {}).get(name)) for _, answer in pairs for name in FIELDS)
    wanted = sum(bool(case.gold[name]) for case, _ in pairs for name in FIELDS)
    each = {name: sum(name in fields for fields in right) / len(pairs) for name in FIELDS}
    whole = sum(len(fields) == len(FIELDS) for fields in right) / len(pairs)
    return {"field_f1": 2 * true / (wanted + said), "all_fields": whole, **each}


def materials(files: Mapping[str, Path], folder: Path) -> None:
    examples = (Example(c.inputs["text"], json.dumps(c.gold, ensure_ascii=False)) for c in _to_learn(files))
    write_examples(folder, examples)


def training(files: Mapping[str, Path]) -> Iterator[Case]:
    """Each receipt as it is, and in copies with the shop and the address of others.

    Exchanging what is marked for the like of it is mention replacement (Dai & Adel, arXiv 2010.11683): where
    a shop stands is to be learnt, and not which shops there are.
    """
    cases = _to_learn(files)
    yield from cases
    for copy in range(1, _COPIES + 1):
        far = copy * len(cases) // (_COPIES + 1)
        others = cases[far:] + cases[:far]
        yield from (_exchanged(mine, other, copy) for mine, other in zip(cases, others, strict=True))


def lesson(case: Case) -> dict[str, Any]:
    """For a tagger: where the fields stand in the text."""
    text = case.inputs["text"]
    found = [span for name in FIELDS if case.gold[name] for span in _standing(name, case.gold[name], text)]
    return {"text": text, "label": [part_of(text, *span) for span in sorted(found, key=lambda s: s.start)]}


def _to_learn(files: Mapping[str, Path]) -> list[Case]:
    """A receipt that was scanned twice, and is measured, is not learned from."""
    measured = {case.inputs["text"] for split in ("test", "dev") for case in read_cases(files, split)}
    return [case for case in read_cases(files, "train") if case.inputs["text"] not in measured]


def _exchanged(mine: Case, other: Case, copy: int) -> Case:
    """With the other's shop and address as they stand there; what stands in one of the two alone is kept."""
    text, gold = mine.inputs["text"], dict(mine.gold)
    for name in ("address", "company"):
        old, new = _as_it_stands(name, mine), _as_it_stands(name, other)
        if old and new:
            text, gold[name] = text.replace(old, new, 1), other.gold[name]
    return Case(id=f"{mine.id}_{copy}", category=mine.category, inputs={"text": text}, gold=gold)


def _as_it_stands(name: str, case: Case) -> str | None:
    text = case.inputs["text"]
    found = _standing(name, case.gold[name], text) if case.gold[name] else []
    return text[found[0].start : found[0].end] if found else None


def shown(lines: Sequence[str]) -> list[str]:
    """The first lines, those with a date, those about totals, and amounts close below them."""
    kept = set(range(min(_HEAD, len(lines))))
    for place, line in enumerate(lines):
        if _DATE.search(line):
            kept.add(place)
        if _ABOUT_TOTALS.search(line):
            below = range(place + 1, min(place + 1 + _AFTER, len(lines)))
            kept |= {place, *(other for other in below if _AMOUNT.search(lines[other]))}
    return [lines[place] for place in sorted(kept)]


def _right(case: Case, answer: Any) -> list[str]:
    if answer is None:
        return []
    return [name for name in FIELDS if _same(name, str(answer.get(name) or ""), case.gold[name] or "")]


def _same(name: str, said: str, gold: str) -> bool:
    """Text without case, spaces and marks; dates and amounts in any notation. A few receipts lack a field."""
    if name == "date" and (dates := _dates(gold)):
        # A date that can be read in two ways meets both of them.
        return bool(dates & _dates(said))
    if name == "total" and (amount := _amount(gold)) is not None:
        return _amount(said) == amount
    return _letters(said) == _letters(gold)


def _standing(name: str, value: str, text: str) -> list[Span]:
    """Dates that are this one; the amount behind the word total, else the first; the letters of a name."""
    if name == "date" and (dates := _dates(value)):
        return [Span(name, *m.span()) for m in _DATE.finditer(text) if dates & _dates(m.group())]
    if name == "total" and (amount := _amount(value)) is not None:
        found = [m for m in _PRICE.finditer(text) if _amount(m.group().replace(" ", "")) == amount]
        announced = [m for m in found if "total" in _line_before(text, m.start()).casefold()]
        return [Span(name, *m.span()) for m in announced or found[:1]]
    places = [at for at, character in enumerate(text) if character.isalnum()]
    start = "".join(text[at] for at in places).casefold().find(_letters(value))
    if start < 0 or len(text.casefold()) != len(text):
        return []
    return [Span(name, places[start], places[start + len(_letters(value)) - 1] + 1)]


def _line_before(text: str, place: int) -> str:
    """The line up to this place, with the one above."""
    return "\n".join(text[:place].split("\n")[-2:])


def _dates(text: str) -> frozenset[Any]:
    return dates_in(re.sub(r"(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)", " ", text).replace(",", " "))


def _amount(text: str) -> Decimal | None:
    found = _DIGITS.search(text)
    try:
        return Decimal(re.sub(r"[, ]", "", found.group())) if found else None
    except InvalidOperation:
        return None


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _rows(files: Mapping[str, Path], split: str) -> Iterator[dict[str, Any]]:
    for place, line in enumerate(files["receipts.jsonl"].read_text("utf-8").splitlines()):
        if _SPLITS.get(place % 10, "train") == split:
            row = json.loads(line)
            if not isinstance(row.get("lines"), list) or not isinstance(row.get("key"), dict):
                raise ValueError(f"receipts.jsonl:{place + 1}: a receipt has `id`, `lines` and `key`")
            key = {name: row["key"].get(name) or None for name in FIELDS}
            yield {"id": row["id"], "lines": row["lines"], "key": key}
