"""What ends a run early: budgets, a closed stream; and runs beside one another."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from orchestrator.types import Budget, GenerateRequest, RunDone
from tests.core.world import open_world, says, task


class TestBudgets:
    async def test_steps(self, root: Path) -> None:
        async with open_world(root, {"small": says("wrong"), "large": says("right")}) as world:
            result, steps, _ = await world.run(task(agent="echo", budget=Budget(steps=2)))
        assert (result.status, len(steps)) == ("failed", 2)
        assert "budget of 2 steps is used up" in (result.error or "")

    async def test_tokens_limit_the_next_call(self, root: Path) -> None:
        async with open_world(root, {"small": says("wrong")}) as world:
            await world.run(task(agent="echo", budget=Budget(tokens=8)))
        assert [request.max_tokens for _, request in world.requests] == [8, 3]

    async def test_time_stops_a_call_that_is_under_way(self, root: Path) -> None:
        stopped = asyncio.Event()

        async def forever(request: GenerateRequest) -> str:
            try:
                await asyncio.sleep(60)
            finally:
                stopped.set()
            return ""

        async with open_world(root, {"small": forever}) as world:
            result, steps, _ = await world.run(task(agent="echo", budget=Budget(time_s=0.1)))
            assert stopped.is_set()
            # What the cut-off call used is charged to it, like that of any other call.
            assert [(step.status, step.model) for step in steps] == [("failed", "small")]
            assert steps[0].error == "stopped before it had answered"
            assert steps[0].usage.cpu_s is not None
            assert result.usage_by_model["small"].duration_s == steps[0].usage.duration_s
            assert world.records.run(result.run_id).summary.status == "failed"
        assert "budget of 0.1 seconds" in (result.error or "")
        assert (result.usage.duration_s or 99) < 5


class TestStopping:
    async def test_closing_the_stream_cancels_and_records_it(self, root: Path) -> None:
        started = asyncio.Event()

        async def forever(request: GenerateRequest) -> str:
            started.set()
            await asyncio.sleep(60)
            return ""

        async with open_world(root, {"small": forever}) as world:
            stream = world.controller.run(task(agent="echo"))
            first = await anext(stream)
            await started.wait()
            await stream.aclose()
            assert world.records.run(first.run_id).summary.status == "canceled"

    async def test_two_runs_at_once_do_not_mix(self, root: Path) -> None:
        async def parrot(request: GenerateRequest) -> str:
            await asyncio.sleep(0.01)
            return json.dumps({"text": request.messages[-1].content})

        async with open_world(root, {"small": parrot}) as world:
            texts = [f"t{i}" for i in range(8)]
            results = await asyncio.gather(
                *(world.controller.run_to_end(task(agent="echo", input={"text": text})) for text in texts)
            )
            assert [result.answer for result in results] == [{"text": text} for text in texts]
            assert len({result.run_id for result in results}) == 8
            for result in results:
                kinds = [event.kind for event in world.records.run(result.run_id).events]
                assert kinds == ["run_started", "planned", "routed", "step_done", "run_done"]
                assert isinstance(world.records.run(result.run_id).events[-1], RunDone)
