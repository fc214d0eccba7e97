"""The figures beside a gate's decision, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.learning.examples import Example
from orchestrator.learning.figures import figures_of
from orchestrator.learning.gate import FAILED
from orchestrator.types import Learns

LABEL = Learns(kind="label", answer="label", fixed=())
SPANS = Learns(kind="spans", answer="spans", fixed=())


def rows(*golds: Any) -> list[Example]:
    return [Example(text=f"t{n}", answer=gold, by="file", origin="f") for n, gold in enumerate(golds)]


def test_labels_and_those_that_fit_none() -> None:
    tested = rows("a", "a", "b", "b", None, None)
    found = figures_of(LABEL, ["a", None, "a", "b", None, "a"], tested)
    assert found == {"accuracy": 0.5, "none_recall": 0.5, "none_false": 0.25}


def test_where_every_row_has_a_label_there_is_only_accuracy() -> None:
    assert figures_of(LABEL, ["a", FAILED], rows("a", "b")) == {"accuracy": 0.5}


def test_parts_of_a_text() -> None:
    part = {"kind": "city", "start": 0, "end": 5, "text": "Ghent"}
    found = figures_of(SPANS, [[part], FAILED], rows([part], [part]))
    assert found["slot_f1"] == pytest.approx(2 / 3)
    assert (found["precision"], found["recall"], found["exact_frame"]) == (1.0, 0.5, 0.5)
