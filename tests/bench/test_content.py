"""Benchmarks and data-set cards are content: read, drawn from, and refused with file and line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from orchestrator.bench.data import DatasetCard, cached_fetch, open_dataset, read_dataset_card
from orchestrator.bench.spec import draw, read_benchmark
from orchestrator.errors import ContentError, IntegrityError, UnknownName, UserError
from orchestrator.settings import Settings
from orchestrator.workspace import builtin_root
from tests.bench.helpers import make_case

ROOTS = (builtin_root(),)
CARD = """name: own
description: our messages
licence: none
origin: our mailbox
how_to_get: Ask the service desk for messages.csv.
files:
  - name: messages.csv
    parts: ["file:own/messages.csv"]
    sha256: "{digest}"
    size_bytes: 5
"""


def write(root: Path, name: str, file: str, text: str) -> Path:
    path = root / "benchmarks" / name / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def own_card(tmp_path: Path) -> DatasetCard:
    write(tmp_path, "own", "dataset.yaml", CARD.format(digest="0" * 64))
    return read_dataset_card([tmp_path], "own")


def take_as_it_is(card: DatasetCard, folder: Path) -> dict[str, Path]:
    return {file.name: folder / file.parts[0].removeprefix("file:") for file in card.files}


def test_the_built_in_data_set_names_a_hash_for_every_file() -> None:
    card = read_dataset_card(ROOTS, "bfcl")
    assert card.licence == "Apache-2.0"
    assert all(part.startswith("pypi:bfcl-eval==2026.3.23/") for file in card.files for part in file.parts)
    assert len({file.sha256 for file in card.files}) == len(card.files) == 15


def test_the_data_hash_follows_content_and_names_but_not_order() -> None:
    card = read_dataset_card(ROOTS, "bfcl")
    turned = card.model_copy(update={"files": card.files[::-1]})
    changed = card.model_copy(update={"files": card.files[1:]})
    assert turned.data_hash == card.data_hash != changed.data_hash


def test_the_demo_has_twelve_and_eight_cases_and_two_arms() -> None:
    demo = read_benchmark(ROOTS, "bfcl-demo")
    assert [(family.category, family.n) for family in demo.families] == [("multiple", 12), ("irrelevance", 8)]
    assert [arm.name for arm in demo.arms] == ["crew", "reference"]
    task = demo.arms[1].task(make_case(1))
    assert (task.agent, task.workflow, task.route) == ("use-tool", None, "fixed:qwen2.5-coder-0.5b")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'bfcl-demo'"):
        read_benchmark(ROOTS, "bfcl-dem")
    with pytest.raises(UnknownName, match="Did you mean 'bfcl'"):
        read_dataset_card(ROOTS, "bfc")


def test_a_users_workspace_wins_by_name(tmp_path: Path) -> None:
    text = (builtin_root() / "benchmarks/bfcl-demo/benchmark.yaml").read_text("utf-8")
    write(tmp_path, "bfcl-demo", "benchmark.yaml", text.replace("seed: 1", "seed: 2"))
    assert read_benchmark((*ROOTS, tmp_path), "bfcl-demo").seed == 2


def test_an_arm_with_neither_workflow_nor_agent_is_refused_with_its_line(tmp_path: Path) -> None:
    text = (builtin_root() / "benchmarks/bfcl-demo/benchmark.yaml").read_text("utf-8")
    file = write(tmp_path, "bfcl-demo", "benchmark.yaml", text.replace("    agent: use-tool\n", ""))
    with pytest.raises(ContentError, match="exactly one of `workflow` and `agent`") as caught:
        read_benchmark([tmp_path], "bfcl-demo")
    line = caught.value.line
    assert line is not None
    assert "name: reference" in file.read_text("utf-8").splitlines()[line - 1]


@pytest.mark.parametrize("file", ["dataset.yaml", "benchmark.yaml"])
def test_a_name_that_is_not_its_folder_is_refused(tmp_path: Path, file: str) -> None:
    builtin = {"dataset.yaml": "bfcl/dataset.yaml", "benchmark.yaml": "bfcl-demo/benchmark.yaml"}[file]
    write(tmp_path, "other", file, (builtin_root() / "benchmarks" / builtin).read_text("utf-8"))
    read = read_dataset_card if file == "dataset.yaml" else read_benchmark
    with pytest.raises(ContentError, match="must equal the name of its folder") as caught:
        read([tmp_path], "other")
    assert caught.value.line == 1


def test_a_set_that_no_registry_has_is_looked_for_in_the_data_folder(
    own_card: DatasetCard, tmp_path: Path
) -> None:
    place = tmp_path / "data" / "own" / "messages.csv"
    settings = Settings(data_dir=tmp_path / "data")
    with pytest.raises(UserError, match=r"is not there\. Ask the service desk"):
        open_dataset(own_card, settings, take_as_it_is)
    place.parent.mkdir(parents=True)
    place.write_text("a;b\n", "utf-8")
    assert open_dataset(own_card, settings, take_as_it_is).files == {"messages.csv": place}


def test_without_a_data_folder_the_error_says_how_to_name_one(own_card: DatasetCard) -> None:
    with pytest.raises(UserError, match="Set LILLIPUT_DATA_DIR"):
        open_dataset(own_card, Settings(data_dir=None), take_as_it_is)


def test_a_data_set_is_not_unpacked(own_card: DatasetCard) -> None:
    (file,) = own_card.files
    with pytest.raises(ValidationError, match="`unpack` is for models"):
        DatasetCard(**{**own_card.model_dump(), "files": [{**file.model_dump(), "unpack": {"a": "b"}}]})


def test_drawing_is_fixed_nested_and_blind_to_order() -> None:
    ids = [f"multiple_{number}" for number in range(200)]
    twelve = draw(ids, 12, seed=1)
    assert twelve == draw(reversed(ids), 12, seed=1) == draw(ids, 40, seed=1)[:12]
    assert twelve != draw(ids, 12, seed=2)
    assert sorted(draw(ids, None, seed=1)) == sorted(ids)
    # Pinned: a change here would silently change every published figure.
    assert twelve[:3] == ["multiple_104", "multiple_19", "multiple_171"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    place = tmp_path / "data" / "own" / "messages.csv"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"a;b\n1")
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


def card_for(tmp_path: Path, content: bytes) -> DatasetCard:
    write(tmp_path, "own", "dataset.yaml", CARD.format(digest=hashlib.sha256(content).hexdigest()))
    return read_dataset_card([tmp_path], "own")


def test_fetched_files_lie_in_the_cache_and_are_fetched_once(settings: Settings, tmp_path: Path) -> None:
    card, fetch = card_for(tmp_path, b"a;b\n1"), cached_fetch(settings.cache_dir)
    first = open_dataset(card, settings, fetch)
    (place,) = first.files.values()
    assert place.read_bytes() == b"a;b\n1"
    assert place.is_relative_to(settings.cache_dir / "datasets")
    made_ns = place.stat().st_mtime_ns
    assert open_dataset(card, settings, fetch) == first
    assert place.stat().st_mtime_ns == made_ns
    assert not any((settings.cache_dir / "staging").iterdir())


def test_a_cached_file_that_was_changed_is_fetched_again(settings: Settings, tmp_path: Path) -> None:
    card, fetch = card_for(tmp_path, b"a;b\n1"), cached_fetch(settings.cache_dir)
    (place,) = open_dataset(card, settings, fetch).files.values()
    place.write_bytes(b"import os")
    (place,) = open_dataset(card, settings, fetch).files.values()
    assert place.read_bytes() == b"a;b\n1"


def test_bytes_that_the_card_does_not_name_are_refused(settings: Settings, tmp_path: Path) -> None:
    card, fetch = card_for(tmp_path, b"other"), cached_fetch(settings.cache_dir)
    with pytest.raises(IntegrityError, match=r"messages\.csv"):
        open_dataset(card, settings, fetch)
    assert not list((settings.cache_dir / "datasets").glob("*"))
