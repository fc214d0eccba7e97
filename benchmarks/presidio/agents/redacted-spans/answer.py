"""Exact rules come first: their checksums are surer than a generator. It adds what they have no rule for."""

from __future__ import annotations

from typing import Any

from orchestrator.agent import Call
from orchestrator.kit.spans import Span, part_of, spans_of
from orchestrator.types import Answer

_KINDS = {
    "EMAIL": "email",
    "IBAN": "iban",
    "BSN": "id_number",
    "NATIONAL_NUMBER": "id_number",
    "PHONE": "phone",
    "NAME": "person",
}


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    text = inputs["text"]
    exact = [Span(_KINDS[item["kind"]], item["start"], item["end"]) for item in inputs["found"]]
    spans = joined(exact, sorted(spans_of({"spans": inputs.get("marked")}), key=lambda span: span.start))
    return Answer(output={"spans": [part_of(text, *span) for span in spans]})


def joined(exact: list[Span], marked: list[Span]) -> list[Span]:
    """A mark that overlaps an exact find is left out, but for a longer name: rules see only part of some."""
    kept = list(exact)
    for mark in marked:
        touching = [span for span in kept if span.start < mark.end and mark.start < span.end]
        if all(span.kind == mark.kind == "person" and _within(span, mark) for span in touching):
            kept = [*(span for span in kept if span not in touching), mark]
    return sorted(kept, key=lambda span: span.start)


def _within(inner: Span, outer: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end
