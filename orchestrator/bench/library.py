"""Where records lie, and how one is found again: by name (the newest), or by path."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from orchestrator.bench.arms import Outcome
from orchestrator.bench.data import file_called
from orchestrator.bench.record import BenchRecord
from orchestrator.errors import UserError
from orchestrator.settings import Settings
from orchestrator.store.files import replace_text
from orchestrator.types import Json

_IS_BENCHMARK, _OF_THIS_VERSION = b'"kind": "benchmark"', b'"schema_version": 3'


def records_folder(settings: Settings, benchmark: str) -> Path:
    return settings.state_dir / "bench" / "records" / benchmark


def find_record(name: str, settings: Settings, roots: Sequence[Path]) -> BenchRecord:
    """`name`: of a benchmark, for its newest record (one's own before those that came with it), or a path.

    Raises UnknownName or UserError.
    """
    if name.endswith(".json"):
        return read_record(Path(name))
    own = records_folder(settings, name)
    shipped = [root / "benchmarks" / name / "results" for root in roots]
    for folder in (own, *reversed(shipped)):
        if files := _benchmark_records(folder):
            return read_record(files[-1])
    file_called(roots, "benchmark.yaml", "benchmark", name)
    raise UserError(f"Benchmark {name!r} has no record yet.", hint=f"Type: lilliput bench run {name}")


def own_records(settings: Settings) -> list[BenchRecord]:
    """One's own newest record of each benchmark."""
    return _newest(sorted(records_folder(settings, "x").parent.glob("*")))


def shipped_records(roots: Sequence[Path]) -> list[BenchRecord]:
    """The newest record of each benchmark under `benchmarks/*/results/`."""
    return _newest(sorted(folder for root in roots for folder in root.glob("benchmarks/*/results")))


def read_record(file: Path) -> BenchRecord:
    """Raises UserError where it is no record of this form."""
    try:
        return BenchRecord.model_validate_json(file.read_bytes())
    except OSError as error:
        raise UserError(
            f"Record {str(file)!r} cannot be read: {error.strerror}.",
            hint="`lilliput bench list` lists names.",
        ) from error
    except ValidationError as error:
        other = next((found["input"] for found in error.errors() if found["loc"] == ("kind",)), None)
        if other:
            raise UserError(
                f"{file} is a record of {other}, which rules on nothing.", hint="Leave it out."
            ) from None
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{file} is no record of a benchmark: {where}: {first['msg']}.",
            hint="It is damaged, or of another version: delete it, or run the benchmark again.",
        ) from error


def export(record: BenchRecord, folder: Path) -> list[Path]:
    """What each arm answered, a file of JSON lines an arm, for somebody else's scorer."""
    written = []
    for arm in record.benchmark.arms:
        own = [outcome for outcome in record.outcomes if outcome.arm == arm.name]
        lines = [json.dumps(_prediction(outcome), ensure_ascii=False) for outcome in own]
        file = folder / f"{record.benchmark.name}.{arm.name}.jsonl"
        replace_text(file, "".join(f"{line}\n" for line in lines))
        written.append(file)
    return written


def _prediction(outcome: Outcome) -> Json:
    return {
        "id": outcome.case_id,
        "category": outcome.category,
        "repeat": outcome.repeat,
        "status": outcome.status,
        "output": outcome.output,
        "grade": outcome.grade,
    }


def _newest(folders: Sequence[Path]) -> list[BenchRecord]:
    return [read_record(files[-1]) for folder in folders if (files := _benchmark_records(folder))]


def _benchmark_records(folder: Path) -> list[Path]:
    """Oldest first. Records of other kinds and versions, such as the demo's, lie in such folders too."""
    return [file for file in sorted(folder.glob("*.json")) if _is_record(file.read_bytes())]


def _is_record(data: bytes) -> bool:
    return _IS_BENCHMARK in data and _OF_THIS_VERSION in data
