"""GSM8K: the number that answers a word problem, worked out with the calculator."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from orchestrator.bench.cases import Case

# Every tenth row is what is measured, the rows after those are for working on prompts; no row is in both.
_SLICES = {"test": 0, "dev": 1}


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    for number, line in enumerate(files["train.jsonl"].read_text("utf-8").splitlines()):
        if number % 10 != _SLICES[category]:
            continue
        row = json.loads(line)
        gold = row["answer"].rpartition("####")[2].replace(",", "").strip()
        yield Case(id=f"{category}_{number}", category=category, inputs={"text": row["question"]}, gold=gold)


def score(files: Mapping[str, Path], case: Case, answer: Any) -> bool:
    """Equal as numbers: 18, 18.0 and 18.00 are one answer."""
    try:
        return Decimal(str(answer["result"])) == Decimal(case.gold)
    except InvalidOperation:
        return False
