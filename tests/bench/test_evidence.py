"""Only what was measured in full, against another model, and last becomes evidence."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orchestrator.bench.evidence import evidence_in, publish
from orchestrator.bench.record import BenchRecord
from orchestrator.types import Usage
from orchestrator.workspace import Workspace
from tests.bench.words import run


@pytest.fixture
def record(root: Path) -> BenchRecord:
    """The small model right in six of eight cases, the large one in none; as if generators had answered."""
    bench, ledger, _ = asyncio.run(run(root))
    return bench.record({"small": "key"}, ledger)


def answered_by(record: BenchRecord, models: dict[str, str]) -> BenchRecord:
    """With other models in its arms."""
    outcomes = tuple(
        outcome.model_copy(
            update={"usage_by_model": {models[outcome.arm]: Usage(calls=1, completion_tokens=3)}}
        )
        for outcome in record.outcomes
    )
    return record.model_copy(update={"outcomes": outcomes})


def test_it_holds_for_one_model_and_one_agent(record: BenchRecord) -> None:
    found = evidence_in(record)
    assert found.keys() == {"small"}
    (entry,) = found["small"]
    assert (entry.agent, entry.model_key, entry.agent_hash) == (
        "echo",
        "key",
        record.fingerprint["agent echo"],
    )
    assert (entry.n, entry.reference_model) == (8, "large")


def test_a_model_is_not_measured_against_itself(record: BenchRecord) -> None:
    assert evidence_in(answered_by(record, {"crew": "small", "reference": "large"})).keys() == {"small"}
    assert evidence_in(answered_by(record, {"crew": "large", "reference": "large"})) == {}


def test_half_of_what_was_declared_is_no_evidence(root: Path) -> None:
    bench, ledger, _ = asyncio.run(run(root, 4))
    record = bench.record({}, ledger)
    assert (record.unscored, record.verdicts[0].declared_n) == (0, 8)
    assert evidence_in(record) == {}


def test_a_record_that_lacks_outcomes_is_no_evidence(record: BenchRecord) -> None:
    assert evidence_in(record.model_copy(update={"unscored": 1})) == {}


def test_newer_evidence_stays(record: BenchRecord, root: Path) -> None:
    older = record.model_copy(update={"made_at": "2020-01-02T03:04:05+00:00"})
    newer = record.model_copy(update={"made_at": "2030-01-02T03:04:05+01:00"})
    for told, expected in ((older, older), (newer, newer), (older, newer)):
        written = publish(told, Workspace((root,)))
        assert bool(written) is (told is expected)
        (entry,) = Workspace((root,)).evidence("small")
        assert entry.made_at == expected.made_at
