"""What the runtimes with own weights (genai, torch) share: a request on its way to a `Generation`.

A subclass knows its tokenizer and its model; here are the thread, the budgets and the figures.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from threading import Event

from orchestrator.errors import InvalidInput, LilliputError, ModelError
from orchestrator.runtimes.base import OnText
from orchestrator.runtimes.decoding import Decoded, Decoding, Order, Stepper
from orchestrator.runtimes.guidance import Constraint
from orchestrator.runtimes.text import TextOut
from orchestrator.runtimes.worker import Stopped, Worker
from orchestrator.types import GenerateRequest, Generation, ModelCard

Emit = Callable[[str], None]


class NativeGenerator(ABC):
    """A loaded generator. Calls run one at a time, in the session's own thread."""

    def __init__(self, card: ModelCard, *, context_tokens: int, end_tokens: frozenset[int]) -> None:
        self.card = card
        self.context_tokens = context_tokens
        self._end_tokens = end_tokens
        self._worker = Worker(card.name)
        self._closed = False

    async def generate(self, request: GenerateRequest, on_text: OnText | None = None) -> Generation:
        if self._closed:
            raise ModelError(f"The session of model {self.card.name!r} is closed.")
        loop = asyncio.get_running_loop()

        def emit(piece: str) -> None:
            if on_text:
                loop.call_soon_threadsafe(on_text, piece)

        return await self._worker.run(lambda stop: self._generate(request, emit, stop))

    def count_tokens(self, request: GenerateRequest) -> int:
        return len(self._prompt(request))

    def turn(self, request: GenerateRequest, answer: str) -> tuple[list[int], list[int]]:
        """The prompt's tokens, and those of an answer to it with the end of the turn; to learn from."""
        return self._prompt(request), self._written(answer)

    def close(self) -> None:
        self._closed = True
        self._worker.close()
        self._free()

    @abstractmethod
    def _prompt(self, request: GenerateRequest) -> list[int]:
        """The prompt's tokens, by the model's own chat template."""

    @abstractmethod
    def _written(self, text: str) -> list[int]:
        """A whole answer as tokens, the end of the turn among them."""

    @abstractmethod
    def _decoder(self) -> Callable[[int], str]:
        """A fresh function from token to text that never emits half a character."""

    @abstractmethod
    def _constraint(self, request: GenerateRequest) -> Constraint | None:
        """The request's schema, compiled."""

    @abstractmethod
    def _open(self, prompt: Sequence[int], max_tokens: int, salt: str) -> tuple[Stepper, int]:
        """A stepper that has seen the first n tokens of the prompt, and n."""

    @abstractmethod
    def _ended(self, stepper: Stepper, *, sound: bool) -> None:
        """The call is over; not `sound` means that the native side failed within it."""

    @abstractmethod
    def _free(self) -> None:
        """Let go of the weights."""

    def _generate(self, request: GenerateRequest, emit: Emit, stop: Event) -> Generation:
        started = time.perf_counter()
        text = TextOut(request.stop, emit)
        prompt = self._prompt(request)
        max_tokens = self._budget(len(prompt), request.max_tokens)
        constraint = self._constraint(request)
        stepper, cached = self._open(prompt, max_tokens, request.cache_salt)
        order = Order(
            prompt=prompt[cached:],
            max_tokens=max_tokens,
            end_tokens=self._end_tokens,
            decode=self._decoder(),
            text=text,
            constraint=constraint,
            temperature=request.temperature,
            seed=request.seed,
            logprobs=request.logprobs,
        )
        done = self._decode(stepper, order, stop)
        return Generation(
            text=text.text,
            finish=done.finish if done else "cancelled",
            prompt_tokens=len(prompt),
            completion_tokens=len(done.tokens) if done else None,
            cached_tokens=cached,
            ttft_s=done.first_token_at - started if done and done.first_token_at else None,
            duration_s=time.perf_counter() - started,
            logprobs=tuple(done.logprobs) if done and request.logprobs else None,
            choice_logprobs=tuple(done.choice_logprobs) if done and request.logprobs else None,
        )

    def _decode(self, stepper: Stepper, order: Order, stop: Event) -> Decoded | None:
        """None when it was stopped; nobody waits for the answer then."""
        sound = False
        try:
            done = Decoding(stepper, order, stop).run()
            sound = True
        except Stopped:
            sound = True
            return None
        except LilliputError:
            raise
        except Exception as error:
            raise ModelError(f"Model {self.card.name!r} failed while answering: {error}") from error
        finally:
            self._ended(stepper, sound=sound)
        return done

    def _budget(self, prompt_tokens: int, max_tokens: int) -> int:
        """Tokens that the answer may have. Raises InvalidInput when the prompt leaves no room for one."""
        left = self.context_tokens - prompt_tokens
        if left < 1:
            raise InvalidInput(
                f"The prompt has {prompt_tokens} tokens; model {self.card.name!r} takes at most "
                f"{self.context_tokens - 1} and needs room for an answer.",
                hint="Shorten the input, or use a model with a longer context (`lilliput models list`).",
            )
        return min(left, max_tokens)
