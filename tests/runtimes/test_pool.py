"""Sharing, single loads, turns, eviction within the budget, and what cancelling must not break."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import ModelUnavailable, StoreError, UnknownName, UserError
from orchestrator.runtimes.base import LoadOptions
from orchestrator.runtimes.pool import ModelPool
from orchestrator.types import ModelCard
from tests.runtimes.helpers import card


class Fake:
    """A session that knows whether two callers are inside it at once."""

    def __init__(self, model: ModelCard, options: LoadOptions) -> None:
        self.card = model
        self.options = options
        self.resident_bytes = 0
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Loading:
    """A loader that counts, can be slow, and can fail."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.loads: list[str] = []
        self.sessions: list[Fake] = []
        self.fail = False
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, model: ModelCard, options: LoadOptions) -> Fake:
        assert threading.current_thread() is not threading.main_thread()
        self.loads.append(model.name)
        time.sleep(self.seconds)
        assert self.gate.wait(10)
        if self.fail:
            raise StoreError("the file is broken")
        self.sessions.append(Fake(model, options))
        return self.sessions[-1]

    @property
    def open_bytes(self) -> int:
        return sum(fake.card.memory_bytes or 0 for fake in self.sessions if not fake.closed)


def generator(name: str, megabytes: int = 100, **fields: Any) -> ModelCard:
    return card(name, "genai", memory_bytes=megabytes * 10**6, device="cpu", **fields)


def encoder(name: str, megabytes: int = 20) -> ModelCard:
    return card(name, "encoder", memory_bytes=megabytes * 10**6, device="cpu", capabilities={"embed"})


@asynccontextmanager
async def pool_of(
    *cards: ModelCard, loading: Loading, megabytes: int = 1000, device: str = "cpu"
) -> AsyncIterator[ModelPool]:
    pool = ModelPool(
        {model.name: model for model in cards},
        lambda name: Path("/models") / name,
        memory_budget_bytes=megabytes * 10**6,
        threads=2,
        device=device,
        loader=loading,
    )
    try:
        yield pool
    finally:
        await pool.close()


async def test_a_model_is_loaded_once_and_shared() -> None:
    loading = Loading(0.02)
    async with pool_of(generator("a"), loading=loading) as pool:
        async with pool.use("a") as first:
            assert first.load_s >= 0.02
        async with pool.use("a") as second:
            assert second.load_s == 0.0
            assert second.session is first.session
    assert loading.loads == ["a"]
    assert loading.sessions[0].closed
    assert loading.sessions[0].options == LoadOptions(folder=Path("/models/a"), threads=2, device="cpu")


async def test_callers_at_once_share_one_load_and_one_of_them_is_charged() -> None:
    loading = Loading(0.02)
    async with pool_of(encoder("e"), loading=loading) as pool:

        async def call() -> float:
            async with pool.use("e") as lease:
                return lease.load_s

        times = await asyncio.gather(*[call() for _ in range(4)])
    assert loading.loads == ["e"]
    assert sum(1 for load_s in times if load_s) == 1


async def _hold(
    pool: ModelPool, name: str, inside: list[str], most: list[int], seconds: float = 0.02
) -> None:
    async with pool.use(name):
        inside.append(name)
        most.append(len(inside))
        await asyncio.sleep(seconds)
        inside.remove(name)


@pytest.mark.parametrize(
    ("names", "at_once"),
    [
        (["e", "e", "e"], 1),  # a session answers one caller at a time
        (["g", "h"], 1),  # two generators never share the CPU
        (["g", "e", "f"], 3),  # encoders may run beside a generator
        (["r", "r", "s", "s"], 4),  # remote and scripted sessions take everybody
    ],
)
async def test_who_may_run_beside_whom(names: list[str], at_once: int) -> None:
    endpoint = {"base_url": "http://127.0.0.1:9", "model": "m"}
    cards = [generator("g"), generator("h"), encoder("e"), encoder("f"), card("s")]
    cards.append(card("r", "remote", remote=endpoint))
    inside: list[str] = []
    most: list[int] = []
    async with pool_of(*cards, loading=Loading()) as pool:
        for name in dict.fromkeys(names):
            async with pool.use(name):
                pass
        await asyncio.gather(*[_hold(pool, name, inside, most) for name in names])
    assert max(most) == at_once


async def test_generators_on_cuda_do_not_wait_for_the_cpu() -> None:
    inside: list[str] = []
    most: list[int] = []
    cards = [generator("g"), generator("h").model_copy(update={"device": "auto"})]
    async with pool_of(*cards, loading=Loading(), device="cuda") as pool:
        for name in ("g", "h", "g", "h"):
            await _hold(pool, name, inside, most, 0)
        await asyncio.gather(*[_hold(pool, name, inside, most) for name in ("g", "h")])
    assert max(most) == 2


async def test_the_card_decides_the_device_before_the_settings() -> None:
    loading = Loading()
    cards = [generator("g"), generator("h").model_copy(update={"device": "auto"})]
    async with pool_of(*cards, loading=loading, device="cuda") as pool:
        for name in ("g", "h"):
            async with pool.use(name):
                pass
    assert [fake.options.device for fake in loading.sessions] == ["cpu", "cuda"]


async def test_room_is_made_by_unloading_what_is_idle() -> None:
    loading = Loading()
    async with pool_of(generator("a"), generator("b"), loading=loading, megabytes=150) as pool:
        for name in ("a", "b"):
            async with pool.use(name):
                pass
        assert [row.name for row in pool.resident()] == ["b"]
    assert loading.sessions[0].closed


async def test_what_is_dear_to_load_and_small_stays_longest() -> None:
    loading = Loading()
    cards = [encoder("dear", 50), encoder("cheap", 50), encoder("new", 50)]
    async with pool_of(*cards, loading=loading, megabytes=120) as pool:
        for name, seconds in (("dear", 0.2), ("cheap", 0.0), ("new", 0.0)):
            loading.seconds = seconds
            async with pool.use(name):
                pass
        assert {row.name for row in pool.resident()} == {"dear", "new"}


async def test_what_is_dear_goes_too_when_it_is_not_used_for_long() -> None:
    loading = Loading(0.03)
    cards = [encoder("dear", 50), encoder("x", 50), encoder("y", 50)]
    async with pool_of(*cards, loading=loading, megabytes=120) as pool:
        async with pool.use("dear"):
            pass
        loading.seconds = 0.01
        for round_ in range(300):
            async with pool.use("xy"[round_ % 2]):
                pass
            if "dear" not in {row.name for row in pool.resident()}:
                break
        else:
            pytest.fail("it stayed for ever")


async def test_a_model_in_use_is_never_unloaded_and_the_load_waits_for_it() -> None:
    loading = Loading()
    async with pool_of(encoder("a", 100), encoder("b", 100), loading=loading, megabytes=150) as pool:
        async with pool.use("a") as lease:
            waiting = asyncio.create_task(_hold(pool, "b", [], []))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            assert isinstance(lease.session, Fake)
            assert not lease.session.closed
        await waiting
        assert [row.name for row in pool.resident()] == ["b"]


async def test_those_who_wait_for_their_turn_do_not_keep_a_model_in_memory() -> None:
    """The one whose turn it is may need that memory: else both would wait for ever."""
    loading = Loading()
    async with pool_of(generator("a"), generator("b"), loading=loading, megabytes=150) as pool:
        async with pool.use("a"):
            calls = [asyncio.create_task(_hold(pool, name, [], [])) for name in ("b", "a", "b", "a")]
            await asyncio.sleep(0.02)
        await asyncio.wait_for(asyncio.gather(*calls), 5)


async def test_a_model_that_alone_exceeds_the_budget_is_refused_with_the_figures() -> None:
    async with pool_of(generator("huge", 2000), loading=Loading()) as pool:
        with pytest.raises(ModelUnavailable, match=r"'huge' needs 2,000 MB.*1,000 MB.*MEMORY_BUDGET"):
            async with pool.use("huge"):
                pass


async def test_an_unknown_model_gets_a_suggestion() -> None:
    async with pool_of(generator("smollm2-135m"), loading=Loading()) as pool:
        with pytest.raises(UnknownName, match="Did you mean 'smollm2-135m'"):
            async with pool.use("smollm2"):
                pass


async def test_a_failed_load_reaches_everybody_who_waits_and_can_be_tried_again() -> None:
    loading = Loading(0.05)
    loading.fail = True
    async with pool_of(encoder("e"), loading=loading) as pool:
        results = await asyncio.gather(*[_hold(pool, "e", [], []) for _ in range(3)], return_exceptions=True)
        assert [type(result) for result in results] == [StoreError] * 3
        loading.fail = False
        async with pool.use("e"):
            pass
    assert loading.loads == ["e", "e"]


async def test_a_caller_that_gives_up_does_not_take_the_load_from_the_others() -> None:
    loading = Loading()
    loading.gate.clear()
    async with pool_of(encoder("e"), loading=loading) as pool:
        first = asyncio.create_task(_hold(pool, "e", [], []))
        await asyncio.sleep(0.02)
        second = asyncio.create_task(_hold(pool, "e", [], []))
        await asyncio.sleep(0.02)
        first.cancel()
        await asyncio.sleep(0.02)
        loading.gate.set()
        await second
        assert first.cancelled()
    assert loading.loads == ["e"]


async def test_a_load_that_nobody_waits_for_any_more_ends_quietly() -> None:
    loading = Loading()
    async with pool_of(generator("a"), generator("b"), loading=loading) as pool:
        for name, fail in (("a", False), ("b", True)):
            loading.fail = fail
            loading.gate.clear()
            task = asyncio.create_task(_hold(pool, name, [], []))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            loading.gate.set()
            await asyncio.gather(*pool._loading.values(), return_exceptions=True)
            await asyncio.sleep(0)
        assert [(row.name, row.in_use) for row in pool.resident()] == [("a", False)]
        loading.fail = False
        async with pool.use("b"):
            pass


async def test_a_caller_cancelled_while_holding_releases_everything() -> None:
    async with pool_of(generator("a"), generator("b"), loading=Loading()) as pool:
        task = asyncio.create_task(_hold(pool, "a", [], [], 10))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(_hold(pool, "b", [], []), 1)


async def test_what_is_resident_is_told_with_its_size() -> None:
    async with pool_of(encoder("small", 10), encoder("big", 90), loading=Loading()) as pool:
        for name in ("small", "big", "big"):
            async with pool.use(name):
                pass
        async with pool.use("small"):
            rows = [(row.name, row.bytes, row.uses, row.in_use) for row in pool.resident()]
    assert rows == [("big", 90_000_000, 2, False), ("small", 10_000_000, 2, True)]


async def test_a_session_that_grows_counts_with_what_it_takes() -> None:
    loading = Loading()
    async with pool_of(encoder("a", 10), loading=loading) as pool:
        async with pool.use("a"):
            pass
        loading.sessions[0].resident_bytes = 50_000_000
        async with pool.use("a"):
            assert pool.resident()[0].bytes == 50_000_000


async def test_closing_waits_for_those_inside_and_lets_nobody_else_in() -> None:
    loading = Loading()
    async with pool_of(generator("a"), loading=loading) as pool:
        holding = asyncio.create_task(_hold(pool, "a", [], [], 0.1))
        await asyncio.sleep(0.05)
        queueing = asyncio.create_task(_hold(pool, "a", [], []))
        await asyncio.sleep(0)
        closing = asyncio.create_task(pool.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        with pytest.raises(UserError, match="closed"):
            async with pool.use("a"):
                pass
        await asyncio.gather(holding, closing)
        with pytest.raises(UserError, match="closed"):
            await queueing
        assert loading.sessions[0].closed


class Overbooked(Exception):
    pass


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(10, 100), min_size=2, max_size=5),
    calls=st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=25),
    budget=st.integers(100, 220),
)
def test_the_budget_holds_and_everybody_is_served(
    sizes: list[int], calls: list[tuple[int, bool]], budget: int
) -> None:
    loading = Loading()
    make = (generator, encoder)
    cards = [make[index % 2](f"m{index}", size) for index, size in enumerate(sizes)]

    async def call(pool: ModelPool, index: int, give_up: bool) -> None:
        async with pool.use(cards[index % len(cards)].name) as lease:
            assert isinstance(lease.session, Fake)
            assert not lease.session.closed
            if loading.open_bytes > budget * 10**6:
                raise Overbooked
            await asyncio.sleep(0)
            if give_up:
                raise asyncio.CancelledError

    async def everything() -> None:
        async with pool_of(*cards, loading=loading, megabytes=budget) as pool:
            tasks = [asyncio.create_task(call(pool, *what)) for what in calls]
            results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)
            wrong = [result for result in results if isinstance(result, Exception)]
            assert wrong == []
        assert loading.open_bytes == 0

    asyncio.run(everything())
