"""Large blocks are mapped by themselves, and go back to the system when they are freed."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import numpy as np, psutil
from orchestrator.learning.memory import give_back_freed_memory
known = {known} and give_back_freed_memory()
me = psutil.Process()
def made(size): return np.ones(size, dtype=np.uint8)
made(20_000_000)                                   # freed: glibc would now serve such blocks from its heap
before = me.memory_info().rss
kept, freed = [], []
for number in range(40):
    freed.append(made(4_000_000)); kept.append(bytes(100_000))
del freed
print(known, (me.memory_info().rss - before) // 1_000_000)
"""


def grown_mb(known: bool) -> tuple[str, int]:
    said = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(known=known)], capture_output=True, text=True, check=True
    )
    able, grown = said.stdout.split()
    return able, int(grown)


def test_what_was_freed_is_given_back() -> None:
    able, grown = grown_mb(True)
    if able != "True":
        pytest.skip("this C library has no mallopt")
    assert grown < 40  # of 160 MB that were freed, and 4 that are kept
