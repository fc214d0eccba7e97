"""What every record of a benchmark says about where its figures come from."""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.bench.data import DatasetCard
from orchestrator.bench.environment import Environment, describe_environment, stamp
from orchestrator.bench.spec import Benchmark
from orchestrator.settings import Settings
from orchestrator.store.files import replace_text
from orchestrator.types import Record
from orchestrator.workspace import Workspace


class Origin(Record):
    """Enough to find it again: cases, data, keys of models, machine, versions, commit. No data-set text."""

    made_at: str
    benchmark: Benchmark
    dataset: str
    dataset_licence: str
    dataset_notes: str
    data_hash: str
    models: dict[str, str]
    machine: str
    environment: Environment


def write_record(record: Origin, folder: Path) -> Path:
    """As JSON with a line for each outcome, in a file named after when it was made."""
    data = record.model_dump(mode="json", exclude_none=True, by_alias=True)
    lines = ",\n".join(json.dumps(outcome, ensure_ascii=False) for outcome in data.pop("outcomes", ()))
    head = json.dumps(data, indent=1, ensure_ascii=False).removesuffix("\n}")
    file = folder / f"{stamp(record.made_at)}.json"
    replace_text(file, f'{head},\n "outcomes": [\n{lines}\n ]\n}}\n')
    return file


def origin_of(
    benchmark: Benchmark,
    card: DatasetCard,
    models: dict[str, str],
    workspace: Workspace,
    settings: Settings,
    made_at: str,
) -> Origin:
    return Origin(
        made_at=made_at,
        benchmark=benchmark,
        dataset=card.name,
        dataset_licence=card.licence,
        dataset_notes=card.notes,
        data_hash=card.data_hash,
        models=models,
        machine=settings.machine,
        environment=describe_environment(workspace.roots[0]),
    )
