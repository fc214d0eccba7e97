from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.helpers import World
from tests.store.hub_server import Hub


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as running:
        yield running
