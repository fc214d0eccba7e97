"""Cases arrive as the pattern says, and lateness cannot hide."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from orchestrator.bench.load import Load, Served, arrivals, run_load, summarise_load
from orchestrator.bench.spec import Arm
from orchestrator.errors import InvalidInput
from orchestrator.types import RunResult, Task
from tests.bench.helpers import RIGHT, make_case, make_result

ARM = Arm(name="crew", workflow="tool-use", route="cascade")
CASES = [make_case(n) for n in range(6)]


class SlowRunner:
    """Answers one at a time, each in 20 ms, and counts how many wait at once."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self.waiting = self.most = 0

    async def run_to_end(self, task: Task) -> RunResult:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        async with self._turn:
            await asyncio.sleep(0.02)
        self.waiting -= 1
        return make_result(RIGHT)


async def test_single_stream_has_one_case_at_a_time() -> None:
    runner = SlowRunner()
    served = await run_load(runner, ARM, CASES, Load(pattern="single-stream"))
    assert runner.most == 1
    assert all(0.015 < case.latency_s < 0.2 for case in served)
    assert [case.case_id for case in served] == [case.id for case in CASES]


async def test_offline_brings_all_at_once_and_the_last_waits_longest() -> None:
    runner = SlowRunner()
    served = await run_load(runner, ARM, CASES, Load(pattern="offline"))
    assert runner.most == len(CASES)
    assert {case.due_s for case in served} == {0.0}
    assert served[-1].latency_s > 5 * 0.015


async def test_a_poisson_load_that_is_too_much_shows_in_the_latency() -> None:
    load = Load(pattern="poisson", rate_per_s=500.0, goal_s=0.05)
    served = await run_load(SlowRunner(), ARM, CASES, load)
    assert served[-1].latency_s > 0.06, "waiting counts, though each answer takes 20 ms"
    found = summarise_load("crew", load, served)
    assert found.goodput_per_s is not None
    assert found.goodput_per_s < found.throughput_per_s


def test_arrivals_have_the_rate_and_the_seed() -> None:
    load = Load(pattern="poisson", rate_per_s=4.0, seed=3)
    due = arrivals(4000, load)
    assert due == arrivals(4000, load) != arrivals(4000, load.model_copy(update={"seed": 4}))
    assert due == sorted(due)
    assert due[-1] / 4000 == pytest.approx(0.25, rel=0.1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert spread == pytest.approx(mean, rel=0.1), "of an exponential the two are equal"


def test_figures_by_hand() -> None:
    served = [
        Served(case_id=str(n), due_s=float(n), done_s=n + took, completed=n != 3)
        for n, took in enumerate((1.0, 2.0, 3.0, 1.0))
    ]
    found = summarise_load("crew", Load(pattern="poisson", rate_per_s=1.0, goal_s=2.0), served)
    assert (found.duration_s, found.failed, found.n) == (5.0, 1, 4)
    assert found.throughput_per_s == pytest.approx(3 / 5)
    assert found.goodput_per_s == pytest.approx(2 / 5), "the failed one was quick, but no answer"
    assert found.latency_p50_s == 1.5


@pytest.mark.parametrize(
    "load",
    [
        Load(pattern="poisson"),
        Load(pattern="offline", rate_per_s=1.0),
    ],
)
async def test_a_rate_and_a_pattern_that_do_not_go_together_are_refused(load: Load) -> None:
    with pytest.raises(InvalidInput, match="rate"):
        await run_load(SlowRunner(), ARM, CASES, load)
