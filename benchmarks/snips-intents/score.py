"""SNIPS: which of seven intents a request has.

Split as in benchmark `snips`: the validate files are measured, every twentieth training row is for working on
prompts, the first 500 others of each intent are what arms may learn from, and all others what a specialist
is trained with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.bench.cases import Case
from orchestrator.kit.examples import Example, without_neighbours, write_examples

# As a person would name them; the keys are those of the files.
LABELS = {
    "AddToPlaylist": "add to a playlist",
    "BookRestaurant": "book a restaurant",
    "GetWeather": "weather forecast",
    "PlayMusic": "play music",
    "RateBook": "rate a book",
    "SearchCreativeWork": "find a book, film, song or game",
    "SearchScreeningEvent": "find a film that is showing",
}
_EVERY = 20
_MOST_EXAMPLES = 500


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    """`category` is `test` (the validate files) or `dev` (held out of the training files)."""
    for intent in LABELS:
        test = category == "test"
        texts = _texts(
            files[f"{'validate' if test else 'train'}_{intent}{'' if test else '_full'}.json"], intent
        )
        for number, text in enumerate(texts if test else texts[::_EVERY]):
            yield _case(category, intent, number, text)


def score(files: Mapping[str, Path], case: Case, answer: Any) -> bool:
    return bool(answer["label"] == case.gold)


def keep(answer: Any) -> Any:
    return without_neighbours(answer)


def materials(files: Mapping[str, Path], folder: Path) -> None:
    write_examples(
        folder,
        (
            Example(text, LABELS[intent])
            for intent, texts in _learned(files)
            for text in texts[:_MOST_EXAMPLES]
        ),
    )


def training(files: Mapping[str, Path]) -> Iterator[Case]:
    for intent, texts in _learned(files):
        for number, text in enumerate(texts):
            yield _case("train", intent, number, text)


def _learned(files: Mapping[str, Path]) -> Iterator[tuple[str, list[str]]]:
    """A few requests are in the files twice; what is measured is not learned from."""
    measured = {case.inputs["text"].lower() for split in ("test", "dev") for case in read_cases(files, split)}
    for intent in LABELS:
        texts = _texts(files[f"train_{intent}_full.json"], intent)
        yield intent, [text for text in texts if text.lower() not in measured]


def _case(category: str, intent: str, number: int, text: str) -> Case:
    inputs = {"text": text, "labels": sorted(LABELS.values())}
    return Case(id=f"{category}_{intent}_{number}", category=category, inputs=inputs, gold=LABELS[intent])


def _texts(file: Path, intent: str) -> list[str]:
    """Some files are Latin-1."""
    content = file.read_bytes()
    try:
        data = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        data = json.loads(content.decode("latin-1"))
    return ["".join(piece["text"] for piece in row["data"]).strip() for row in data[intent]]
