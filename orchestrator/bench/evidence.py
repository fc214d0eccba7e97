"""From a benchmark's record to evidence that routing may use: `models/evidence/<model>.yaml`.

Only arms that are one agent answered by one model say something about that model. Each is held against the
strongest reference arm with the family's own margin, as the candidate is in the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import yaml

from orchestrator.bench.arms import Outcome
from orchestrator.bench.record import BenchRecord
from orchestrator.bench.spec import Arm
from orchestrator.bench.verdict import rule_on
from orchestrator.store.files import replace_text
from orchestrator.types import Evidence, EvidenceFile
from orchestrator.workspace import Workspace

_HEAD = (
    "# Written by `lilliput bench publish`. What is measured here decides what `smallest-capable` may use.\n"
)


def evidence_in(record: BenchRecord) -> dict[str, list[Evidence]]:
    """By model. Families of which declared cases are missing say nothing yet, and a model that is itself the
    reference cannot be measured against it.
    """
    found: dict[str, list[Evidence]] = {}
    if record.unscored:
        return found
    for family in record.benchmark.families:
        large = _models_of("reference", record, family.category)
        for arm in record.benchmark.arms:
            models = _models(arm, family.category, record.outcomes)
            if arm.kind in ("floor", "reference") or arm.agent is None or len(models) != 1 or models & large:
                continue
            (model,) = models
            if entry := _evidence(record, family.category, arm, model, sorted(large)):
                found.setdefault(model, []).append(entry)
    return found


def publish(record: BenchRecord, workspace: Workspace) -> list[Path]:
    """Write what the record says about each model into the strongest workspace. What was found out about the
    same agent and family is replaced, unless it is newer.
    """
    written = []
    for model, found in evidence_in(record).items():
        known = {_about(entry): entry for entry in workspace.evidence(model)}
        new = [entry for entry in found if not _is_older(entry, known.get(_about(entry)))]
        if not new:
            continue
        entries = {**known, **{_about(entry): entry for entry in new}}
        spec = EvidenceFile(name=model, evidence=tuple(entries.values()))
        file = workspace.roots[-1] / "models" / "evidence" / f"{model}.yaml"
        data = spec.model_dump(mode="json", exclude_none=True)
        replace_text(file, _HEAD + yaml.safe_dump(data, sort_keys=False, width=110))
        written.append(file)
    return written


def _about(entry: Evidence) -> tuple[str, str, str]:
    return entry.agent, entry.benchmark, entry.family


def _is_older(entry: Evidence, known: Evidence | None) -> bool:
    return known is not None and datetime.fromisoformat(entry.made_at) < datetime.fromisoformat(known.made_at)


def _evidence(
    record: BenchRecord, family: str, arm: Arm, model: str, large: Sequence[str]
) -> Evidence | None:
    verdict = rule_on(record.benchmark, family, arm.name, record.outcomes, record.design)
    figure = record.figure(family, arm.name)
    if verdict is None or figure is None or verdict.difference.n < verdict.declared_n:
        return None
    summary, energy_j = figure.summary, figure.joules_a_case
    return Evidence(
        agent=str(arm.agent),
        benchmark=record.benchmark.name,
        family=family,
        ruling=verdict.ruling,
        margin=verdict.difference.margin,
        n=verdict.difference.n,
        quality=round(summary.mean_grade, 4),
        low=round(summary.grade_interval.low, 4),
        high=round(summary.grade_interval.high, 4),
        reference=verdict.reference,
        reference_model=", ".join(large),
        reference_quality=round(verdict.reference_rate, 4),
        latency_p50_s=None if summary.latency_p50_s is None else round(summary.latency_p50_s, 4),
        energy_j=None if energy_j is None else round(energy_j, 4),
        energy_source=summary.energy_source,
        machine=record.machine,
        model_key=record.models.get(model, "none"),
        agent_hash=record.fingerprint[f"agent {arm.agent}"],
        data_hash=record.data_hash,
        commit=", ".join(record.commits) or None,
        made_at=record.made_at,
    )


def _models_of(kind: str, record: BenchRecord, family: str) -> set[str]:
    """Generators of the arms of a kind. An encoder that finds examples for the reference is none of them."""
    arms = {arm.name for arm in record.benchmark.arms if arm.kind == kind}
    used = [o.usage_by_model for o in record.outcomes if o.arm in arms and o.category == family]
    return {model for usages in used for model, usage in usages.items() if usage.completion_tokens}


def _models(arm: Arm, family: str, outcomes: Sequence[Outcome]) -> set[str]:
    own = [outcome for outcome in outcomes if outcome.arm == arm.name and outcome.category == family]
    return {model for outcome in own for model, usage in outcome.usage_by_model.items() if usage.calls}
