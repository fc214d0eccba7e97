"""Specialists come and go while requests run: none of them fails, and each follows at once."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from orchestrator.learning import shelf
from orchestrator.types import Task
from tests.core.test_specialists import LEARNS, TASK, sure
from tests.core.world import add_agent, add_model, open_world, says, write
from tests.learning.test_shelf import specialist

INPUT = {"type": "object", "properties": {"text": {"type": "string"}, "labels": {"type": "array"}}}


def on_the_shelf(root: Path) -> str:
    """A specialist of the agent `guess` whose model says its own name."""
    name = specialist(root)
    file = root / shelf.FOLDER / name / f"{name}.yaml"
    card = json.loads(json.dumps(_read(file)))
    card["specialism"] |= {"agent": "guess", "fixed": {}}
    card |= {"capabilities": ["classify", "logprobs"], "parameters": 1}
    write(root, str(file.relative_to(root)), json.dumps(card))
    return name


def _read(file: Path) -> object:
    import yaml

    return yaml.safe_load(file.read_text("utf-8"))


async def test_promotion_and_rollback_while_requests_run(tmp_path: Path) -> None:
    add_model(tmp_path, "small", 10, capabilities=["generate", "json-schema", "logprobs"])
    add_agent(tmp_path, "guess", learns={**LEARNS, "fixed": []}, input=INPUT)
    first, second = on_the_shelf(tmp_path), on_the_shelf(tmp_path)
    replies = {"small": says("small"), first: sure(0.9, first), second: sure(0.9, second)}
    answers: list[str] = []
    async with open_world(tmp_path, replies) as world:

        async def ask() -> None:
            result, _, _ = await world.run(Task(agent="guess", input=TASK))
            assert result.status == "completed", result.error
            answers.append(result.answer["text"])

        await ask()
        for change in (
            lambda: shelf.promote((tmp_path,), first, "passed"),
            lambda: shelf.promote((tmp_path,), second, "passed"),
            lambda: shelf.roll_back((tmp_path,), "tickets"),
            lambda: shelf.roll_back((tmp_path,), "tickets"),
        ):
            started = time.perf_counter()
            changing = asyncio.create_task(asyncio.to_thread(change))
            while not changing.done():
                await ask()
            assert time.perf_counter() - started < 1.0
            await asyncio.gather(*(ask() for _ in range(10)))
    seen = [answer for place, answer in enumerate(answers) if place == 0 or answer != answers[place - 1]]
    assert seen == ["small", first, second, first, "small"]
