"""How long it takes to decide whether a specialist's answer is accepted, for short and for long texts.

    python benchmarks/routers/latency.py [SPECIALIST]        # writes latency.json beside it

Under `cascade` a specialist decides by its own answer: one pass through the small encoder gives the label and
the confidence that is held against the proven threshold. Three things are timed: that pass, with the words
cut into tokens; the decision, from the task to the accepted answer, which is on the disk by then; and the
whole run, until its record is closed. Texts are rows of CLINC150 put together until they have so many
tokens. Of a text the first `max_tokens` of the specialist's card are read (256 here), which is why a text
that is twice as long takes no longer.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.bench.data import named_dataset
from orchestrator.bench.environment import describe_environment
from orchestrator.controller import Controller, open_controller
from orchestrator.settings import Settings, load_settings
from orchestrator.store.files import replace_text
from orchestrator.tools import load_module
from orchestrator.types import Json, RunDone, StepDone, Task
from orchestrator.workspace import Workspace, builtin_root

HERE = Path(__file__).parent
TOKENS, ROUNDS, WARM = (64, 512), 300, 20


async def main(model: str) -> None:
    settings, workspace = load_settings().settings, Workspace((builtin_root(),))
    async with open_controller(workspace, settings) as controller:
        folder = controller.store.folder(model)
        cases = _cases(settings)
        given = {"labels": cases[0].inputs["labels"], "no_label": "none of these"}
        found: Json = {
            "model": model,
            "read_tokens": workspace.card(model).options["max_tokens"],
            "n": ROUNDS,
        }
        for tokens in TOKENS:
            texts = _texts(folder, [case.inputs["text"] for case in cases], tokens)
            found[f"{tokens} tokens"] = await _timed(controller, model, given, texts)
    found["environment"] = describe_environment(builtin_root()).model_dump(mode="json")
    replace_text(HERE / "latency.json", json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


async def _timed(controller: Controller, model: str, given: Json, texts: Iterator[str]) -> Json:
    """Milliseconds at the median and at the 95th of a hundred; see above."""
    taken: dict[str, list[float]] = {"pass_ms": [], "decision_ms": [], "run_ms": []}
    for number in range(WARM + ROUNDS):
        task = Task(agent="label", input={**given, "text": next(texts)}, route=f"fixed:{model}")
        seconds = await _one(controller, task)
        if number >= WARM:
            for name, value in seconds.items():
                taken[name].append(value)
    return {name: _percentiles(found) for name, found in taken.items()}


async def _one(controller: Controller, task: Task) -> dict[str, float]:
    """Seconds."""
    found, started = {}, time.perf_counter()
    async for event in controller.run(task):
        now = time.perf_counter() - started
        if isinstance(event, StepDone):
            assert event.step.status == "completed", event.step.error
            found |= {"pass_ms": event.step.usage.duration_s, "decision_ms": now}
        elif isinstance(event, RunDone):
            found["run_ms"] = now
    return found


def _percentiles(seconds: list[float]) -> dict[str, float]:
    return {f"p{at}": round(float(np.percentile(seconds, at)) * 1000, 2) for at in (50, 95)}


def _texts(folder: Path, rows: Sequence[str], tokens: int) -> Iterator[str]:
    """Each begins at another row."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    start = 0
    while True:
        text = " ".join(rows[(start + step) % len(rows)] for step in range(tokens))
        last = tokenizer.encode(text).offsets[tokens - 2]  # a text is framed by two tokens of its own
        yield text[: last[1]]
        start += 1


def _cases(settings: Settings) -> Any:
    files = named_dataset((builtin_root(),), "clinc150", settings).files
    return list(load_module(HERE.parent / "clinc150" / "score.py").read_cases(files, "val"))


if __name__ == "__main__":
    asyncio.run(main(*(sys.argv[1:] or ["clinc150-2"])))
