"""A benchmark's rows as a file to learn from: `{"text": …, "label": …, "split": …, "inputs": …}` a line.

    train   what a specialist may learn from (`training` of its score.py but for the cases of the development
            category, else its `materials`)
    dev     the cases of a development category
    test    the cases of its families, which no training opens

So a specialist for a benchmark is made by the product's own commands (`lilliput learn run --file`). The file
holds the data set's texts: it belongs into no repository.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.bench.cases import Case, Code, Files
from orchestrator.errors import InvalidInput
from orchestrator.kit.examples import FILE, read_examples
from orchestrator.kit.spans import locate, part_of, read_quoted
from orchestrator.types import Json


def rows_of(code: Code, files: Files, dev: str, test: Sequence[str]) -> list[Json]:
    """`dev` and `test` are categories. Raises InvalidInput for a benchmark that has nothing to learn from."""
    chosen_by = list(code.read_cases(files, dev))
    found = [
        *_cases(code, chosen_by, "dev"),
        *(row for category in test for row in _cases(code, code.read_cases(files, category), "test")),
    ]
    training = code.training(files)
    if training is not None:
        known = {case.id for case in chosen_by}
        return [*_cases(code, [case for case in training if case.id not in known], "train"), *found]
    marks = any(isinstance(row["label"], list) for row in found)
    return [*_examples(code, files, marks), *found]


def _examples(code: Code, files: Files, marks: bool) -> Iterator[Json]:
    """`marks`: labels are parts of the text, written as a model is to quote them."""
    with TemporaryDirectory() as made:
        folder = Path(made)
        code.materials(files, folder)
        tables = sorted(folder.rglob(FILE))
        if not tables:
            raise InvalidInput("This benchmark has no examples of texts with labels to learn from.")
        for table in tables:
            for text, label in read_examples(table.parent):
                answer = _parts(text, read_quoted(label) if label else ()) if marks else label
                yield {"text": text, "label": answer, "split": "train"}


def _parts(text: str, quotes: Iterable[tuple[str, str]]) -> list[Json]:
    spans, _ = locate(text, quotes)
    return [part_of(text, *span) for span in spans]


def _cases(code: Code, cases: Sequence[Case], split: str) -> Iterator[Json]:
    for case in cases:
        yield {**code.lesson(case), "split": split}
