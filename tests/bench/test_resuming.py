"""A run that is killed, and two processes that run the same; no real model."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.words import open_bench, run
from tests.core.world import write

RUN = """
import sys
from pathlib import Path
from tests.bench.words import run
import asyncio
asyncio.run(run(Path(sys.argv[1])))
"""


def test_ten_kills_lose_and_double_nothing(root: Path) -> None:
    """Killed at random moments; the outcomes at the end are those of a run that nobody disturbed."""
    undisturbed = {outcome.key: outcome.grade for outcome in asyncio.run(run(root))[1].outcomes}
    for name in ("small", "large"):
        card = json.loads((root / f"models/{name}.yaml").read_text())
        card["options"]["delay_s"] = 0.02
        write(root, f"models/{name}.yaml", json.dumps(card))
    ledger_file = next((root / "state" / "bench").glob("words-*/outcomes.jsonl"))
    ledger_file.unlink()
    dice, environ = random.Random(5), {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for _ in range(10):
        process = subprocess.Popen([sys.executable, "-c", RUN, str(root)], env=environ)
        time.sleep(dice.uniform(0.5, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
    asyncio.run(run(root))
    keys = [json.loads(line) for line in ledger_file.read_text().splitlines()]
    found = {(row["case_id"], row["arm"], row.get("repeat", 0)): row["grade"] for row in keys}
    assert len(keys) == len(found), "no case twice"
    assert found == undisturbed


def test_two_processes_share_the_work_and_say_so(root: Path) -> None:
    """The second waits, and then takes up what the first has done."""
    for name in ("small", "large"):
        card = json.loads((root / f"models/{name}.yaml").read_text())
        card["options"]["delay_s"] = 0.05
        write(root, f"models/{name}.yaml", json.dumps(card))
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    both = [subprocess.Popen([sys.executable, "-c", RUN, str(root)], env=environ) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    (file,) = (root / "state" / "bench").glob("words-*/outcomes.jsonl")
    assert len(file.read_text().splitlines()) == 16


async def test_who_waits_for_another_process_hears_of_it(root: Path) -> None:
    bench, waits = open_bench(root), []
    ledger = bench.ledger(bench.models())
    held = ledger.alone()
    held.__enter__()

    def hear() -> None:
        waits.append("waiting")
        held.__exit__(None, None, None)

    await bench.run(lambda *_: None, on_wait=hear)
    assert waits == ["waiting"]
