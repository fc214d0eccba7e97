"""Outcomes on disk: cut-off lines, damaged notes, a full disk."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from orchestrator.bench.ledger import Ledger
from orchestrator.errors import UserError
from tests.bench.helpers import make_outcome


def test_a_line_that_was_cut_off_is_dropped_and_the_next_is_whole(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.add(make_outcome(1, "crew", True))
    with (tmp_path / "outcomes.jsonl").open("ab") as stream:
        stream.write(b'{"case_id": "multiple_2", "cat')
    again = Ledger(tmp_path)
    assert len(again.outcomes) == 1
    with again.alone():
        again.add(make_outcome(2, "crew", True))
    assert len(Ledger(tmp_path).outcomes) == 2


def test_a_reader_leaves_a_line_that_is_being_written(tmp_path: Path) -> None:
    """`bench verdict` may look while another process is in the middle of a line."""
    line = make_outcome(1, "crew", True).model_dump_json().encode() + b"\n"
    with (tmp_path / "outcomes.jsonl").open("ab", buffering=0) as stream:
        stream.write(line[:50])
        assert Ledger(tmp_path).outcomes == []
        stream.write(line[50:])
    assert len(Ledger(tmp_path).outcomes) == 1


def test_of_two_lines_for_one_key_the_first_counts(tmp_path: Path) -> None:
    lines = [make_outcome(1, "crew", solved).model_dump_json() for solved in (True, False)]
    (tmp_path / "outcomes.jsonl").write_text("".join(f"{line}\n" for line in lines))
    assert [outcome.solved for outcome in Ledger(tmp_path).outcomes] == [True]


def notes_in(folder: Path) -> None:
    ledger = Ledger(folder)
    assert not ledger.memory_bytes
    assert not ledger.once


@pytest.mark.parametrize("file", ["outcomes.jsonl", "memory.json", "once.json"])
def test_what_cannot_be_read_is_named(tmp_path: Path, file: str) -> None:
    (tmp_path / file).mkdir()
    with pytest.raises(UserError, match=file) as raised:
        notes_in(tmp_path)
    assert "elete" in str(raised.value.hint)


@pytest.mark.parametrize(("file", "text"), [("memory.json", '{"a": '), ("once.json", '{"crew": 3}')])
def test_damaged_notes_are_named(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(UserError, match=f"{file} is damaged"):
        notes_in(tmp_path)


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="No space left on device") as raised:
        Ledger(tmp_path).add(make_outcome(1, "crew", True))
    assert "goes on from there" in str(raised.value.hint)


def test_an_outcome_counts_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for solved in (True, False):
        ledger.add(make_outcome(1, "crew", solved))
    assert [outcome.solved for outcome in Ledger(tmp_path).outcomes] == [True]


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(UserError, match="cannot be made: Not a directory"):
        Ledger(tmp_path / "state" / "bench")
