"""What is too old to be learnt from is deleted, not just passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ContentError
from orchestrator.learning.examples import Example, read_examples, write_examples
from orchestrator.learning.project import FileSource, LogSource, Project, folder_of, save_project
from orchestrator.learning.retention import EXAMPLES, Allowed, sweep

NOW = "2026-11-22T06:45:12.000+00:00"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("orchestrator.learning.retention.utc_now", lambda: NOW)
    return tmp_path


def made(state: Path, source: LogSource | FileSource, *times: str | None) -> Path:
    save_project(state, Project(name="tickets", agent="label", source=source))
    examples = [
        Example(text=f"text {n}", answer="a", by="large", origin=f"r/{n}", recorded_at=time)
        for n, time in enumerate(times)
    ]
    folder = folder_of(state, "tickets")
    write_examples(folder / EXAMPLES, examples)
    (folder / "work").mkdir()
    return folder


def texts(folder: Path) -> list[str]:
    return [example.text for example in read_examples(folder / EXAMPLES)]


def test_what_is_too_old_goes_and_a_half_done_training_with_it(state: Path) -> None:
    folder = made(state, LogSource(), "2026-10-20T00:00:00.000+00:00", "2026-11-20T00:00:00.000+00:00")
    assert sweep(state, {"label": Allowed(days=30)}) == 1
    assert texts(folder) == ["text 1"]
    assert not (folder / "work").exists()


def test_what_is_young_enough_stays_as_it_was(state: Path) -> None:
    folder = made(state, LogSource(), "2026-11-20T00:00:00.000+00:00")
    before = (folder / EXAMPLES).stat().st_ino
    assert sweep(state, {"label": Allowed(days=30)}) == 0
    assert (folder / EXAMPLES).stat().st_ino == before
    assert (folder / "work").exists()


def test_an_agent_that_was_closed_leaves_nothing(state: Path) -> None:
    folder = made(state, LogSource(), "2026-11-20T00:00:00.000+00:00")
    assert sweep(state, {}) == 1
    assert texts(folder) == []


def test_a_persons_own_file_has_no_such_time(state: Path) -> None:
    source = FileSource(path=Path("tickets.csv"), sha256="", text="text", label="label")
    folder = made(state, source, None, None)
    assert sweep(state, {}) == 0
    assert len(texts(folder)) == 2


def test_a_damaged_project_keeps_nobody_elses_data(state: Path) -> None:
    folder = made(state, LogSource(), "2026-01-01T00:00:00.000+00:00")
    other = folder_of(state, "aa")
    other.mkdir(parents=True)
    (other / "project.json").write_text("{", "utf-8")
    with pytest.raises(ContentError, match="no learning project"):
        sweep(state, {"label": Allowed(days=30)})
    assert texts(folder) == []


def test_what_may_not_be_learnt_from_goes_even_if_it_cannot_be_read(state: Path) -> None:
    folder = made(state, LogSource(), "2026-11-20T00:00:00.000+00:00")
    (folder / EXAMPLES).write_text("no JSON\n", "utf-8")
    assert sweep(state, {}) == 1
    assert texts(folder) == []


def test_every_character_of_a_text_comes_back(tmp_path: Path) -> None:
    example = Example(text="one\u2028two\u2029\x85three\n four", answer="a", by="large", origin="r/0")
    write_examples(tmp_path / EXAMPLES, [example, example])
    assert list(read_examples(tmp_path / EXAMPLES)) == [example, example]
