"""Prefix reuse: keep the KV caches of earlier calls, and of a new prompt compute only what differs.

    earlier prompt   [system prompt of the agent][examples][message A]
    new prompt       [system prompt of the agent][examples][message B]
                     ^------- kept: rewind to here -------^ computed

Reading a prompt is most of a small model's call, and every call of an agent begins with the same hundreds of
tokens. Measured with a prompt of 335 tokens of which 323 were kept: Qwen 0.5B 1.0 instead of 6.5 CPU-seconds
a call, SmolLM2-135M 0.6 instead of 2.7. Because grammars live outside the model (`guidance.py`), calls
with different schemas and sampling share heads too.

The answer must not depend on what was cached, so only tokens of *prompts* count as kept: those were read in
pieces of two and more, which give the same bits whatever the split (`decoding.chunks`; on CPU, tested).
Decoded tokens went through another kernel and are computed again. On CUDA the split may change the last
bits, so there a head is reused only in whole pieces of CHUNK_TOKENS, cut where a first reading cuts them.

How fast an answer comes tells what was read before. So caches are apart by salt: one arm of a benchmark must
not find the prompt that another has just paid for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Generic, Protocol, TypeVar

# Fewer shared tokens than this are worth less than keeping the other prompt's head: chat templates alone
# make the first few equal.
_WORTHWHILE_TOKENS = 16
_ROUND_TO_TOKENS = 512


class Cache(Protocol):
    """A KV cache that can forget its end."""

    def rewind(self, length: int) -> None: ...


C = TypeVar("C", bound=Cache)


@dataclass(slots=True)
class Slot(Generic[C]):
    """One KV cache with room for `capacity` tokens, and the prompt that it has read."""

    cache: C
    capacity: int
    prompt: list[int]
    salt: str
    used: int = 0


class PrefixSlots(Generic[C]):
    """A few KV caches, least recently used out first. Not thread-safe: one session, one thread."""

    def __init__(
        self, make: Callable[[int], C], *, context_tokens: int, whole_pieces_of: int = 1, limit: int = 4
    ) -> None:
        self._make = make
        self._context_tokens = context_tokens
        self._grid = whole_pieces_of
        self._limit = limit
        self._slots: list[Slot[C]] = []
        self._clock = count(1)

    def take(self, prompt: Sequence[int], room: int, salt: str = "") -> tuple[C, int]:
        """A cache with `room` tokens of room that holds the first n tokens of `prompt`, and n."""
        slot = self._best(prompt, room, salt)
        kept = self._shared(slot, prompt, salt)
        slot.cache.rewind(kept)
        slot.prompt, slot.salt = list(prompt), salt
        slot.used = next(self._clock)
        return slot.cache, kept

    def read(self, cache: C, tokens: int) -> None:
        """A call ended after its prompt had been read this far: only that much may be reused."""
        for slot in self._slots:
            if slot.cache is cache:
                slot.prompt = slot.prompt[:tokens]

    def drop(self, cache: C) -> None:
        """Forget a cache in an unknown state."""
        self._slots = [slot for slot in self._slots if slot.cache is not cache]

    def clear(self) -> None:
        self._slots.clear()

    @property
    def tokens_of_room(self) -> int:
        return sum(slot.capacity for slot in self._slots)

    def _best(self, prompt: Sequence[int], room: int, salt: str) -> Slot[C]:
        roomy = [slot for slot in self._slots if slot.capacity >= room]
        best = max(roomy, key=lambda slot: self._shared(slot, prompt, salt), default=None)
        if best and self._shared(best, prompt, salt) >= _WORTHWHILE_TOKENS:
            return best
        if len(self._slots) >= self._limit:
            oldest = min(self._slots, key=lambda slot: slot.used)
            if oldest.capacity >= room:
                return oldest
            self._slots.remove(oldest)
        capacity = min(-(-room // _ROUND_TO_TOKENS) * _ROUND_TO_TOKENS, max(self._context_tokens, room))
        slot = Slot(self._make(capacity), capacity, [], salt)
        self._slots.append(slot)
        return slot

    def _shared(self, slot: Slot[C], prompt: Sequence[int], salt: str) -> int:
        """Tokens of the common head, leaving at least two to read (a lone one takes another kernel)."""
        if slot.salt != salt:
            return 0
        end = max(0, min(len(slot.prompt), len(prompt) - 2))
        same = next((i for i in range(end) if slot.prompt[i] != prompt[i]), end)
        return same // self._grid * self._grid
