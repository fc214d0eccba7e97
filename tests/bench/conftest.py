"""The BFCL data set, fetched once into the user's cache, and a benchmark made up for tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.bench.data import Dataset, cached_fetch, open_dataset, read_dataset_card
from orchestrator.settings import load_settings
from orchestrator.workspace import builtin_root
from tests.bench.words import make_root


@pytest.fixture(scope="session")
def bfcl() -> Dataset:
    settings = load_settings().settings
    card = read_dataset_card((builtin_root(),), "bfcl")
    return open_dataset(card, settings, cached_fetch(settings.cache_dir))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path)
