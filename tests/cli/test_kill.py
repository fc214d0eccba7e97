"""Kill -9 in the middle of a run: what had been told is in the record, and the next run starts clean."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from orchestrator.records import Records
from tests.cli.conftest import environment, write, write_card

MODULE = [sys.executable, "-c", "from orchestrator.cli import main; main()"]
KILLS = 10


@pytest.fixture
def chain(desk: Path) -> Path:
    """A workflow of eight model calls, two at a time, 20 ms each."""
    write_card(desk, "small", 1, delay_s=0.02, reply='{"loud": "X"}')
    steps: dict[str, Any] = {}
    for level in range(4):
        text = f"${{s{level - 1}a.loud}}" if level else "${task.text}"
        for side in "ab":
            steps[f"s{level}{side}"] = {"agent": "shout", "with": {"text": text}}
    workflow = {
        "name": "chain",
        "description": "Shout eight times.",
        "input": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
        "steps": steps,
    }
    write(desk, {"configs/workflows/chain.yaml": json.dumps(workflow)})
    return desk


def run_and_kill(desk: Path, after_lines: int, delay_s: float) -> list[dict[str, Any]]:
    """The events that the process told before it was killed, at a random moment after some of them."""
    command = [*MODULE, "run", "x", "--workflow", "chain", "--events"]
    process = subprocess.Popen(
        command,
        env=environment(desk.parent),
        cwd=desk,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    lines = [line for _, line in zip(range(after_lines), process.stdout, strict=False)]
    killer = threading.Timer(delay_s, process.send_signal, [signal.SIGKILL])
    killer.start()
    lines += process.stdout.readlines()
    process.wait(timeout=30)
    killer.cancel()
    process.stdout.close()
    return [json.loads(line) for line in lines if line.endswith("\n")]


def test_every_told_step_is_recorded_and_nothing_is_left_behind(chain: Path) -> None:
    chance = random.Random(20261122)
    records = Records(chain.parent / "xdg_state_home" / "lilliput" / "runs.sqlite")
    cut_short = 0
    for _ in range(KILLS):
        told = run_and_kill(chain, chance.randint(1, 20), chance.uniform(0, 0.08))
        read = records.run(told[0]["run_id"])
        steps = [event["step"] for event in told if event["kind"] == "step_done"]
        assert [step.model_dump(mode="json") for step in read.steps[: len(steps)]] == steps
        assert [step.index for step in read.steps] == list(range(len(read.steps)))
        assert len(read.events) >= sum(event["kind"] != "progress" for event in told)
        cut_short += read.summary.status == "interrupted"
    assert cut_short >= KILLS // 2, "the kills came too late to prove anything"
    assert {file.name.split("-")[0] for file in records.path.parent.iterdir()} <= {"runs.sqlite"}
    after = subprocess.run(
        [*MODULE, "run", "x", "--workflow", "chain", "--json"],
        env=environment(chain.parent), cwd=chain, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(after.stdout)["status"] == "completed"
