"""What a receipt mostly looks like: the shop, its address up to the postcode, and at the end a total."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.agent import Call
from orchestrator.types import Answer

_DATE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}"
    r"|\d{1,2}[ -]?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -]?\d{2,4}",
    re.IGNORECASE,
)
_POSTCODE = re.compile(r"(?<!\d)\d{5}(?!\d)")
_STREET = re.compile(r"\b(?:no|lot|jalan|jln|lorong|taman|persiaran|ground)\b", re.IGNORECASE)
_TOTAL = re.compile(r"total", re.IGNORECASE)
_NOT_IT = re.compile(r"sub|tax|gst|qty|item|disc|saving|excl", re.IGNORECASE)
_AMOUNT = re.compile(r"\d[\d,]*\.\d\d")


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    lines = inputs["text"].splitlines()
    date = _DATE.search(inputs["text"])
    output = {
        "company": lines[0] if lines else None,
        "date": date.group() if date else None,
        "address": _address(lines),
        "total": _total(lines),
    }
    return Answer(output=output)


def _address(lines: list[str]) -> str | None:
    """From the first line that names a street to the line with a postcode."""
    ends = [place for place, line in enumerate(lines) if _POSTCODE.search(line)]
    starts = [place for place, line in enumerate(lines[1:], start=1) if _STREET.search(line)]
    if not ends or not starts or starts[0] > ends[0]:
        return None
    return " ".join(lines[starts[0] : ends[0] + 1])


def _total(lines: list[str]) -> str | None:
    """The largest amount in or below a line that says total; the largest of all where none does."""
    found: list[str] = []
    for place, line in enumerate(lines):
        if _TOTAL.search(line) and not _NOT_IT.search(line):
            found += _AMOUNT.findall(" ".join(lines[place : place + 3]))
    found = found or _AMOUNT.findall(" ".join(lines))
    return max(found, key=lambda amount: float(amount.replace(",", "")), default=None)
