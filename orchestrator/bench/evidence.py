"""From a benchmark's record to evidence that routing may use: `models/evidence/<model>.yaml`.

Only arms that are one agent answered by one model say something about that model. Each is held against the
strongest reference arm with the family's own margin, as the candidate is in the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """By model. Families of which outcomes are missing say nothing yet."""
    found: dict[str, list[Evidence]] = {}
    if record.unscored:
        return found
    for verdict in record.verdicts:
        for arm in record.benchmark.arms:
            model = _only_model(arm, verdict.family, record.outcomes)
            if arm.kind in ("floor", "reference") or arm.agent is None or model is None:
                continue
            found.setdefault(model, []).append(_evidence(record, verdict.family, arm, model))
    return found


def publish(record: BenchRecord, workspace: Workspace) -> list[Path]:
    """Write what the record says about each model into the strongest workspace. What it had said before about
    the same agent and family is replaced.
    """
    written = []
    for model, new in evidence_in(record).items():
        about = {(entry.agent, entry.benchmark, entry.family) for entry in new}
        kept = [e for e in workspace.evidence(model) if (e.agent, e.benchmark, e.family) not in about]
        spec = EvidenceFile(name=model, evidence=(*kept, *new))
        file = workspace.roots[-1] / "models" / "evidence" / f"{model}.yaml"
        data = spec.model_dump(mode="json", exclude_none=True)
        replace_text(file, _HEAD + yaml.safe_dump(data, sort_keys=False, width=110))
        written.append(file)
    return written


def _evidence(record: BenchRecord, family: str, arm: Arm, model: str) -> Evidence:
    verdict = rule_on(record.benchmark, family, arm.name, record.outcomes)
    figure = record.figure(family, arm.name)
    assert figure, "an arm with a model has outcomes"
    summary, commit = figure.summary, record.environment.commit
    energy_j = figure.joules_a_case
    return Evidence(
        agent=str(arm.agent),
        benchmark=record.benchmark.name,
        family=family,
        ruling=verdict.ruling,
        margin=verdict.difference.margin,
        n=summary.n,
        quality=round(summary.mean_grade, 4),
        low=round(summary.grade_interval.low, 4),
        high=round(summary.grade_interval.high, 4),
        reference=verdict.reference,
        reference_quality=round(verdict.reference_rate, 4),
        latency_p50_s=None if summary.latency_p50_s is None else round(summary.latency_p50_s, 4),
        energy_j=None if energy_j is None else round(energy_j, 4),
        energy_source=summary.energy_source,
        machine=record.machine,
        model_key=record.models.get(model, "none"),
        prompt_hash=record.prompts[arm.name],
        data_hash=record.data_hash,
        commit=commit.id if commit else None,
        made_at=record.made_at,
    )


def _only_model(arm: Arm, family: str, outcomes: Sequence[Outcome]) -> str | None:
    models = {
        model
        for outcome in outcomes
        if outcome.arm == arm.name and outcome.category == family
        for model, usage in outcome.usage_by_model.items()
        if usage.calls
    }
    return models.pop() if len(models) == 1 else None
