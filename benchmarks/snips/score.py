"""SNIPS: the slots of a request whose intent is known, marked word for word.

The kinds of slot of the request's intent are given to every arm alike: in the product triage comes before.
The validate files are what is measured; every twentieth training row is for working on prompts, the first
500 others of each intent are what arms may learn from, and all others what a specialist is trained with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.bench.cases import Case
from orchestrator.kit.examples import Example, write_examples
from orchestrator.kit.spans import Span, quoted, span_scores, spans_of

INTENTS = (
    *("AddToPlaylist", "BookRestaurant", "GetWeather", "PlayMusic"),
    *("RateBook", "SearchCreativeWork", "SearchScreeningEvent"),
)
_EVERY = 20
_MOST_EXAMPLES = 500


class Row(NamedTuple):
    text: str
    spans: tuple[Span, ...]


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    """`category` is `test` (the validate files) or `dev` (held out of the training files)."""
    for intent in INTENTS:
        train = _rows(files[f"train_{intent}_full.json"], intent)
        kinds = sorted({span.kind for row in train for span in row.spans})
        rows = _rows(files[f"validate_{intent}.json"], intent) if category == "test" else train[::_EVERY]
        for number, row in enumerate(rows):
            yield _case(f"{category}_{intent}_{number}", row, intent, kinds)


def score(files: Mapping[str, Path], case: Case, answer: Any) -> bool:
    """Every slot right and none too many: a frame with one wrong slot books the wrong table."""
    return _gold(case) == spans_of(answer)


def metrics(pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
    """Slot F1 as in CoNLL: see `orchestrator.kit.spans`."""
    return span_scores((_gold(case), spans_of(answer)) for case, answer in pairs)


def materials(files: Mapping[str, Path], folder: Path) -> None:
    for intent, rows in _learned(files):
        place = folder / "slots" / intent
        place.mkdir(parents=True)
        few = rows[:_MOST_EXAMPLES]
        write_examples(place, (Example(row.text, quoted(row.text, row.spans)) for row in few))


def training(files: Mapping[str, Path]) -> Iterator[Case]:
    for intent, rows in _learned(files):
        for number, row in enumerate(rows):
            yield _case(f"train_{intent}_{number}", row, intent, [])


def _learned(files: Mapping[str, Path]) -> Iterator[tuple[str, list[Row]]]:
    """A few requests are in the files twice; what is measured is not learned from."""
    measured = {_words(case) for split in ("test", "dev") for case in read_cases(files, split)}
    for intent in INTENTS:
        rows = _rows(files[f"train_{intent}_full.json"], intent)
        yield intent, [row for row in rows if row.text.lower() not in measured]


def _case(name: str, row: Row, intent: str, kinds: Sequence[str]) -> Case:
    inputs = {"text": row.text, "kinds": kinds, "folder": f"slots/{intent}"}
    gold = [list(span) for span in row.spans]
    return Case(id=name, category=name.partition("_")[0], inputs=inputs, gold=gold)


def _words(case: Case) -> str:
    return str(case.inputs["text"]).lower()


def _gold(case: Case) -> frozenset[Span]:
    return frozenset(Span(*span) for span in case.gold)


def _rows(file: Path, intent: str) -> list[Row]:
    """Some files are Latin-1."""
    content = file.read_bytes()
    try:
        data = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        data = json.loads(content.decode("latin-1"))
    return [_row(item["data"]) for item in data[intent]]


def _row(parts: Sequence[Mapping[str, str]]) -> Row:
    """A row is pieces of text, some with a kind; spaces around a piece are not part of it."""
    text, spans = "", []
    for part in parts:
        piece = part["text"]
        if "entity" in part and piece.strip():
            start = len(text) + len(piece) - len(piece.lstrip())
            spans.append(Span(part["entity"], start, start + len(piece.strip())))
        text += piece
    return _trimmed(text, spans)


def _trimmed(text: str, spans: Sequence[Span]) -> Row:
    cut = len(text) - len(text.lstrip())
    return Row(text.strip(), tuple(Span(span.kind, span.start - cut, span.end - cut) for span in spans))
