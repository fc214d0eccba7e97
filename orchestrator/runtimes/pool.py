"""Loaded models, shared by everybody, within a memory budget.

    async with pool.use("smollm2-135m") as lease:
        generation = await lease.session.generate(request)

Three rules. A native session answers one caller at a time. Of the generators on the CPU only one runs at a
time, and loading one counts as running: two of them on the same cores are slower than one after the other
(encoders take milliseconds and may run beside). A model that is waited for or used is never unloaded.

When a model needs room, idle ones go in the order of GreedyDual-Size (Cao and Irani, 1997):

    worth = age + seconds to load again / bytes freed

The lowest worth goes first, and `age` becomes that worth, so that what has not been used for long ends
up below what has just come in, however dear it was to load. If idle ones do not suffice, the load waits for
those in use. A caller that holds a lease must not ask for a second one: the two could wait for each other.

What a model answers, and where its files come from, is not decided here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import ModelUnavailable, UnknownName, UserError
from orchestrator.runtimes.base import LoadOptions, Session
from orchestrator.runtimes.native import estimated_bytes
from orchestrator.runtimes.registry import load_session
from orchestrator.types import ModelCard, Record

_log = logging.getLogger(__name__)

Loader = Callable[[ModelCard, LoadOptions], Session]

_SHARED_FREELY = frozenset({"remote", "scripted"})


@dataclass(frozen=True, slots=True)
class Lease:
    """A session that is this caller's until the block ends. `load_s` 0.0: somebody had loaded it already."""

    session: Session
    load_s: float


class Resident(Record):
    """One loaded model, for display."""

    name: str
    bytes: int
    load_s: float
    uses: int
    in_use: bool


@dataclass(slots=True)
class _Loaded:
    session: Session
    load_s: float
    bytes: int
    worth: float = 0.0
    uses: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class ModelPool:
    """Shares sessions by name of the model. One event loop."""

    def __init__(
        self,
        cards: Mapping[str, ModelCard],
        folder_of: Callable[[str], Path],
        *,
        memory_budget_bytes: int,
        threads: int,
        device: str = "auto",
        loader: Loader = load_session,
    ) -> None:
        self._cards = cards
        self._folder_of = folder_of
        self._budget_bytes = memory_budget_bytes
        self._threads = threads
        self._device = device
        self._loader = loader
        self._loaded: dict[str, _Loaded] = {}
        self._loading: dict[str, asyncio.Task[_Loaded]] = {}
        self._wanted: Counter[str] = Counter()
        self._age = 0.0
        self._one_generator = asyncio.Lock()
        self._one_load = asyncio.Lock()
        self._released = asyncio.Event()
        self._closed = False

    @asynccontextmanager
    async def use(self, name: str) -> AsyncIterator[Lease]:
        """Lease a model, loading it first when needed.

        Raises UnknownName, ModelUnavailable (it alone exceeds the memory budget), or what loading raises.
        """
        card = self._card(name)
        async with AsyncExitStack() as stack:
            if self._takes_the_cpu(card):
                await stack.enter_async_context(self._one_generator)
                self._card(name)  # the pool may have been closed meanwhile
            # Not before: who waits for the turn to generate must not keep a model in memory that the
            # one whose turn it is may have to unload.
            stack.enter_context(self._keeping(name))
            loaded, load_s = await self._get(card)
            if card.runtime not in _SHARED_FREELY:
                await stack.enter_async_context(loaded.turn)
            loaded.uses += 1
            self._appraise(loaded)
            yield Lease(loaded.session, load_s)

    def resident(self) -> list[Resident]:
        """What is loaded now, largest first."""
        rows = [
            Resident(
                name=name,
                bytes=loaded.bytes,
                load_s=loaded.load_s,
                uses=loaded.uses,
                in_use=self._wanted[name] > 0,
            )
            for name, loaded in self._loaded.items()
        ]
        return sorted(rows, key=lambda row: (-row.bytes, row.name))

    async def close(self) -> None:
        """Take no more callers, wait for those inside, unload everything."""
        self._closed = True
        while self._wanted.total():
            await self._a_release()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
        for name in list(self._loaded):
            await self._unload(name)

    def _card(self, name: str) -> ModelCard:
        if self._closed:
            raise UserError("The model pool is closed.", hint="Open a new one.")
        if name not in self._cards:
            raise UnknownName("model", name, self._cards)
        return self._cards[name]

    @contextmanager
    def _keeping(self, name: str) -> Iterator[None]:
        self._wanted[name] += 1
        try:
            yield
        finally:
            self._wanted[name] -= 1
            self._released.set()

    def _device_for(self, card: ModelCard) -> str:
        return self._device if card.device == "auto" else card.device

    def _takes_the_cpu(self, card: ModelCard) -> bool:
        generates = "generate" in card.capabilities and card.runtime not in _SHARED_FREELY
        return generates and self._device_for(card) != "cuda"

    async def _get(self, card: ModelCard) -> tuple[_Loaded, float]:
        """The loaded model, and how long this caller's load of it took. Callers at once share one load."""
        if card.name in self._loaded:
            return self._loaded[card.name], 0.0
        mine = card.name not in self._loading
        if mine:
            task = asyncio.create_task(self._load(card))
            self._loading[card.name] = task
            task.add_done_callback(lambda done: self._settle(card.name, done))
        # Shielded: a caller that gives up must not take the model from the others who wait for it.
        loaded = await asyncio.shield(self._loading[card.name])
        return loaded, loaded.load_s if mine else 0.0

    def _settle(self, name: str, task: asyncio.Task[_Loaded]) -> None:
        del self._loading[name]
        if not task.cancelled():
            task.exception()  # seen: perhaps every caller has given up meanwhile

    async def _load(self, card: ModelCard) -> _Loaded:
        folder = Path() if card.runtime in _SHARED_FREELY else self._folder_of(card.name)
        need_bytes = estimated_bytes(card, folder)
        self._refuse_the_impossible(card, need_bytes)
        options = LoadOptions(folder=folder, threads=self._threads, device=self._device_for(card))
        async with self._one_load:
            await self._make_room(need_bytes)
            started = time.perf_counter()
            session = await asyncio.to_thread(self._loader, card, options)
            load_s = time.perf_counter() - started
            loaded = _Loaded(session, load_s, need_bytes)
            self._appraise(loaded)
            self._loaded[card.name] = loaded
        return loaded

    def _refuse_the_impossible(self, card: ModelCard, need_bytes: int) -> None:
        if need_bytes > self._budget_bytes:
            raise ModelUnavailable(
                f"Model {card.name!r} needs {need_bytes / 1e6:,.0f} MB of memory; loaded models may take "
                f"{self._budget_bytes / 1e6:,.0f} MB together.",
                hint="Raise LILLIPUT_MEMORY_BUDGET_BYTES or choose a smaller model (`lilliput models list`).",
            )

    async def _make_room(self, need_bytes: int) -> None:
        """Unload idle models until `need_bytes` fit; wait for those in use when that is not enough."""
        while self._used_bytes() + need_bytes > self._budget_bytes:
            idle = [name for name in self._loaded if not self._wanted[name]]
            if idle:
                await self._unload(min(idle, key=lambda name: self._loaded[name].worth))
            else:
                await self._a_release()

    async def _a_release(self) -> None:
        self._released.clear()
        await self._released.wait()

    def _appraise(self, loaded: _Loaded) -> None:
        """Caches grow with use; what is loaded counts with what it takes now."""
        loaded.bytes = max(loaded.bytes, loaded.session.resident_bytes)
        loaded.worth = self._age + loaded.load_s / max(1, loaded.bytes)

    async def _unload(self, name: str) -> None:
        loaded = self._loaded.pop(name)
        self._age = max(self._age, loaded.worth)
        try:
            await asyncio.to_thread(loaded.session.close)
        except Exception:
            _log.exception("Unloading model %r failed; its memory may not come back.", name)

    def _used_bytes(self) -> int:
        return sum(loaded.bytes for loaded in self._loaded.values())
