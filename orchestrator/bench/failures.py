"""The cases that tell the arms apart most, with what each arm said: where to look first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from orchestrator.bench.arms import Outcome
from orchestrator.bench.record import BenchRecord

PER_ARM = 3
_LONGEST = 160


def worst_failures(record: BenchRecord, family: str, arms: Sequence[str]) -> list[dict[str, Any]]:
    """For each arm its cases with the lowest grade, those first that the other arms did best on."""
    said: dict[str, dict[str, Outcome]] = {}
    for outcome in record.outcomes:
        if outcome.category == family and outcome.repeat == 0:
            said.setdefault(outcome.case_id, {})[outcome.arm] = outcome
    complete = {case: found for case, found in said.items() if found.keys() >= set(arms)}
    chosen: dict[str, None] = {}
    for arm in arms:
        wrong = [case for case, found in complete.items() if not found[arm].solved]
        wrong.sort(key=lambda case: (complete[case][arm].grade - _mean(complete[case]), case))
        chosen |= dict.fromkeys(wrong[:PER_ARM])
    return [{"case": case, "cells": [_cell(complete[case][arm]) for arm in arms]} for case in chosen]


def _mean(found: dict[str, Outcome]) -> float:
    return sum(outcome.grade for outcome in found.values()) / len(found)


def _cell(outcome: Outcome) -> dict[str, str]:
    mark = "✓" if outcome.solved else "✗" if outcome.grade == 0 else f"{100 * outcome.grade:.0f} %"
    if outcome.status != "completed":
        return {"mark": mark, "text": outcome.error or outcome.status}
    text = json.dumps(outcome.output, ensure_ascii=False)
    return {"mark": mark, "text": text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"}
