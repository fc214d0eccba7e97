"""Made-up messages to a service desk with the team that each is for: to learn from, and no benchmark."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from orchestrator.records import Records
from orchestrator.types import RunDone, RunResult, Step, StepDone, Task

TEACHER = "qwen2.5-coder-1.5b"
_WORDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "hardware": (("laptop", "screen", "keyboard", "printer", "mouse", "docking station"),
                 ("is broken", "does not start", "makes a noise", "fell on the floor", "stays black")),
    "accounts": (("password", "login", "account", "access card", "security code"),
                 ("has expired", "is blocked", "must be reset", "was stolen", "is not accepted")),
    "finance": (("invoice", "refund", "expense claim", "payment", "salary slip"),
                ("is too high", "has not been paid", "has the wrong date", "is missing", "was paid twice")),
    "facilities": (("meeting room", "coffee machine", "heating", "parking space", "front door"),
                   ("is too cold", "is dirty", "does not work", "is taken by somebody else", "leaks")),
}  # fmt: skip
_FRAMES = ("my {0} {1}", "hello, the {0} {1} since monday", "the {0} on our floor {1}, can somebody help?",
           "urgent: {0} {1}")  # fmt: skip
LABELS = tuple(sorted(_WORDS))


def messages(n: int, seed: int = 0) -> list[tuple[str, str]]:
    """(text, team), each text once, in an order by the seed."""
    every = [
        (frame.format(thing, what), team)
        for team, (things, whats) in sorted(_WORDS.items())
        for thing, what, frame in itertools.product(things, whats, _FRAMES)
    ]
    order = np.random.default_rng(seed).permutation(len(every))
    return [every[place] for place in order[:n]]


def log(state_dir: Path, rows: Sequence[tuple[str, str]], model: str = TEACHER) -> None:
    """As if agent `label` had been asked each, one a run, and the model had answered."""
    records = Records(state_dir / "runs.sqlite")
    for text, team in rows:
        given = {"text": text, "labels": list(LABELS)}
        started = records.start(Task(agent="label", input=given))
        now = started_at(records)
        step = Step(
            run_id=started.run_id, index=0, subtask="answer", agent="label", model=model, status="completed",
            inputs=given, output={"label": team}, confidence=0.99, started_at=now, finished_at=now,
        )  # fmt: skip
        result = RunResult(run_id=started.run_id, status="completed", answer={"label": team})
        records.append(StepDone(run_id=started.run_id, step=step), 1)
        records.append(RunDone(run_id=started.run_id, result=result), 2)
    records.close()


def started_at(records: Records) -> str:
    return records.runs(1)[0].started_at


def csv_lines(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield "text,label"
    yield from (f'"{text}",{team}' for text, team in rows)
