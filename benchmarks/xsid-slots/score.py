"""xSID: the slots of a Dutch request, with English requests to learn from.

All kinds of slot of the data set are offered, whatever the intent. Every fifth English request is for working
on prompts, the others are what arms may learn from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.bench.cases import Case
from orchestrator.kit.examples import Example, write_examples
from orchestrator.kit.spans import Span, quoted, span_scores, spans_of

_DUTCH, _ENGLISH = "nl.valid.conll", "en.test.conll"
_EVERY = 5


class Row(NamedTuple):
    """`original` is what a translation was made from; empty for what is none."""

    text: str
    original: str
    spans: tuple[Span, ...]


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    """`category` is `nl` (Dutch, measured) or `dev` (English)."""
    english = _rows(files[_ENGLISH])
    kinds = sorted({span.kind for row in english for span in row.spans})
    rows = _rows(files[_DUTCH]) if category == "nl" else english[::_EVERY]
    for number, row in enumerate(rows):
        inputs = {"text": row.text, "kinds": kinds}
        gold = [list(span) for span in row.spans]
        yield Case(id=f"{category}_{number}", category=category, inputs=inputs, gold=gold)


def score(files: Mapping[str, Path], case: Case, answer: Any) -> bool:
    """Every slot right and none too many; the intent is the work of benchmark `xsid`."""
    return _gold(case) == spans_of(answer)


def metrics(pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
    """Slot F1 as in CoNLL: see `orchestrator.kit.spans`."""
    return span_scores((_gold(case), spans_of(answer)) for case, answer in pairs)


def materials(files: Mapping[str, Path], folder: Path) -> None:
    """A few requests are in the file twice, and some are the originals of Dutch ones: not learned from."""
    measured = {case.inputs["text"].lower() for case in read_cases(files, "dev")}
    measured |= {row.original.lower() for row in _rows(files[_DUTCH])}
    learned = [row for row in _rows(files[_ENGLISH]) if row.text.lower() not in measured]
    write_examples(folder, (Example(row.text, quoted(row.text, row.spans)) for row in learned))


def _gold(case: Case) -> frozenset[Span]:
    return frozenset(Span(*span) for span in case.gold)


def _rows(file: Path) -> list[Row]:
    blocks = [block.splitlines() for block in file.read_text("utf-8").split("\n\n")]
    return [_row(file, lines) for lines in blocks if any(line.strip() for line in lines)]


def _row(file: Path, lines: Sequence[str]) -> Row:
    text, original = (_comment(lines, name) for name in ("text", "text-en"))
    tokens = [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]
    spans: list[Span] = []
    place = 0
    for fields in tokens:
        if len(fields) != 4 or (start := text.find(fields[1], place)) < 0:
            raise ValueError(f"{file.name}: {fields} is no token of {text!r}")
        place = start + len(fields[1])
        mark, _, kind = fields[3].partition("-")
        kind = _name(kind)
        if mark == "I" and spans and spans[-1].kind == kind:
            spans[-1] = Span(kind, spans[-1].start, place)
        elif mark in ("B", "I"):
            spans.append(Span(kind, start, place))
    return Row(text, original, tuple(spans))


def _comment(lines: Sequence[str], name: str) -> str:
    return next((line.partition("=")[2].strip() for line in lines if line.startswith(f"# {name} =")), "")


def _name(kind: str) -> str:
    """`reminder/todo` and `weather/attribute` as one word."""
    return kind.replace("/", "_")
