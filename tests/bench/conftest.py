"""The BFCL data set, fetched once into the user's cache."""

from __future__ import annotations

import pytest

from orchestrator.bench.data import Dataset, cached_fetch, open_dataset, read_dataset_card
from orchestrator.settings import load_settings
from orchestrator.workspace import builtin_root


@pytest.fixture(scope="session")
def bfcl() -> Dataset:
    settings = load_settings().settings
    card = read_dataset_card((builtin_root(),), "bfcl")
    return open_dataset(card, settings, cached_fetch(settings.cache_dir))
