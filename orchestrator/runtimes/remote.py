"""Any server that speaks OpenAI's /chat/completions: how a 70B or a hosted model becomes the reference.

Always streams, so that time to first token is measured; a server that answers in one piece is understood as
well. Requests are tried again, with growing pauses or the server's own Retry-After, for as long as nothing
of an answer has been heard. Cost is computed from the card's prices elsewhere.

Options of the card: `strict_schema` (OpenAI's strict mode, which forbids optional properties) and
`max_tokens_field` (`max_completion_tokens` for newer models).
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from orchestrator.errors import ModelError, UserError
from orchestrator.runtimes.base import LoadOptions, OnText
from orchestrator.types import GenerateRequest, Generation, Json, ModelCard, RemoteEndpoint

if TYPE_CHECKING:
    import httpx2

_TRIES = 4
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504, 529})
_FINISH: dict[str, Literal["stop", "length"]] = {"stop": "stop", "length": "length"}

Sleep = Callable[[float], Awaitable[None]]


def load(card: ModelCard, options: LoadOptions) -> RemoteSession:
    """Nothing is contacted yet. Raises UserError when the key is not in the environment."""
    return RemoteSession(card)


class RemoteSession:
    """One model of one server. Calls may run at the same time."""

    resident_bytes = 0

    def __init__(
        self, card: ModelCard, environ: Mapping[str, str] | None = None, sleep: Sleep = asyncio.sleep
    ) -> None:
        assert card.remote is not None
        self.card = card
        self._endpoint: RemoteEndpoint = card.remote
        self._key = _key(card, card.remote, os.environ if environ is None else environ)
        self._sleep = sleep
        self._client: httpx2.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def generate(self, request: GenerateRequest, on_text: OnText | None = None) -> Generation:
        started = time.perf_counter()
        reply = _Reply(on_text, started)
        for attempt in range(_TRIES):
            try:
                await self._ask(request, reply)
                break
            except _TryAgain as problem:
                if attempt + 1 == _TRIES or problem.pause_s(attempt) > _LONGEST_PAUSE_S:
                    raise problem.error from problem
                await self._sleep(problem.pause_s(attempt))
        return reply.generation(request, time.perf_counter() - started)

    def count_tokens(self, request: GenerateRequest) -> int:
        """An estimate, one token for four bytes: only the server knows its tokenizer."""
        return sum(4 + math.ceil(len(message.content.encode()) / 4) for message in request.messages)

    def close(self) -> None:
        client, loop = self._client, self._loop
        self._client = None
        if client is None or loop is None or loop.is_closed():
            return
        closing = asyncio.run_coroutine_threadsafe(client.aclose(), loop)
        if not _running_in(loop):
            closing.result(timeout=5)

    async def _ask(self, request: GenerateRequest, reply: _Reply) -> None:
        """One try. Raises _TryAgain when another one may help, else ModelError."""
        import httpx2

        url = self._endpoint.base_url.rstrip("/") + "/chat/completions"
        try:
            async with self._http().stream("POST", url, json=self._body(request)) as response:
                if response.status_code != 200:
                    raise self._refusal(response.status_code, response.headers, await response.aread())
                async for data in _events(response):
                    reply.hear(data)
        except httpx2.HTTPError as problem:
            error = ModelError(
                f"{self._where} did not answer: {type(problem).__name__}: {problem}.",
                hint=f"Is a server listening at {self._endpoint.base_url}?",
            )
            raise (error if reply.pieces else _TryAgain(error)) from problem
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as problem:
            raise ModelError(f"{self._where} sent what is no chat completion: {problem!r}.") from problem
        except _ServerSaid as problem:
            raise ModelError(f"{self._where} failed: {self._clean(str(problem))}") from problem
        if reply.finish is None:
            raise ModelError(f"{self._where} broke off in the middle of its answer.")

    def _http(self) -> httpx2.AsyncClient:
        """The client of this event loop: connections are kept between calls."""
        import httpx2

        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            self._client = httpx2.AsyncClient(headers=headers, timeout=self._endpoint.timeout_s)
            self._loop = loop
        return self._client

    def _body(self, request: GenerateRequest) -> Json:
        limit = str(self.card.options.get("max_tokens_field", "max_tokens"))
        body: Json = {
            "model": self._endpoint.model,
            "messages": [message.model_dump() for message in request.messages],
            "temperature": request.temperature,
            "seed": request.seed,
            limit: request.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.stop:
            body["stop"] = list(request.stop)
        if request.logprobs:
            body["logprobs"] = True
        if request.json_schema is not None:
            strict = bool(self.card.options.get("strict_schema", False))
            schema = {"name": "answer", "schema": request.json_schema, "strict": strict}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def _refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> Exception:
        hint = None
        if status in (401, 403):
            variable = self._endpoint.api_key_env
            hint = f"Check the key in {variable}." if variable else "Set `api_key_env` on the card."
        message = self._clean(_message(content))
        error = ModelError(f"{self._where} answered with status {status}: {message}", hint=hint)
        return _TryAgain(error, _retry_after_s(headers)) if status in _TRY_AGAIN else error

    @property
    def _where(self) -> str:
        return f"Model {self.card.name!r} at {self._endpoint.base_url}"

    def _clean(self, message: str) -> str:
        """Servers like to repeat the key that they refuse."""
        return (message.replace(self._key, "***") if self._key else message)[:500]


class _TryAgain(Exception):
    def __init__(self, error: ModelError, retry_after_s: float | None = None) -> None:
        self.error = error
        self._retry_after_s = retry_after_s

    def pause_s(self, attempt: int) -> float:
        return self._retry_after_s if self._retry_after_s is not None else _FIRST_PAUSE_S * 2**attempt


class _ServerSaid(Exception):
    """An error that the server reported inside a stream."""


@dataclass(slots=True)
class _Reply:
    """An answer as it comes in."""

    on_text: OnText | None
    started: float
    pieces: list[str] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    usage: Json = field(default_factory=dict)
    finish: str | None = None
    first_at: float | None = None

    def hear(self, data: Json) -> None:
        """One event of the stream, or the one whole answer."""
        if data.get("error"):
            raise _ServerSaid(_message(json.dumps(data).encode()))
        self.usage = data.get("usage") or self.usage
        for choice in data["choices"][:1]:
            part = choice.get("delta") or choice.get("message") or {}
            self._hear_text(part.get("content") or "")
            scored = (choice.get("logprobs") or {}).get("content") or []
            self.logprobs.extend(float(token["logprob"]) for token in scored)
            self.finish = choice.get("finish_reason") or self.finish

    def _hear_text(self, piece: str) -> None:
        if not isinstance(piece, str):
            raise TypeError(f"content is {piece!r}")
        if not piece:
            return
        if self.first_at is None:
            self.first_at = time.perf_counter()
        self.pieces.append(piece)
        if self.on_text:
            self.on_text(piece)

    def generation(self, request: GenerateRequest, duration_s: float) -> Generation:
        if self.finish not in _FINISH:
            raise ModelError(f"The server ended its answer early, for the reason {self.finish!r}.")
        details = self.usage.get("prompt_tokens_details") or {}
        return Generation(
            text="".join(self.pieces),
            finish=_FINISH[self.finish],
            prompt_tokens=self.usage.get("prompt_tokens"),
            completion_tokens=self.usage.get("completion_tokens"),
            cached_tokens=details.get("cached_tokens"),
            ttft_s=self.first_at - self.started if self.first_at is not None else None,
            duration_s=duration_s,
            logprobs=tuple(self.logprobs) if request.logprobs and self.logprobs else None,
        )


async def _events(response: httpx2.Response) -> AsyncIterator[Json]:
    """The JSON of each server-sent event, or of the whole body where the server does not stream."""
    if "event-stream" not in response.headers.get("content-type", ""):
        yield json.loads(await response.aread())
        return
    async for line in response.aiter_lines():
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        if line.startswith("data:") and data:
            yield json.loads(data)


def _key(card: ModelCard, endpoint: RemoteEndpoint, environ: Mapping[str, str]) -> str | None:
    if endpoint.api_key_env is None:
        return None
    key = environ.get(endpoint.api_key_env)
    if not key:
        raise UserError(
            f"Model {card.name!r} needs the environment variable {endpoint.api_key_env}, which is not set.",
            hint=f"Type `export {endpoint.api_key_env}=...`.",
        )
    return key


def _message(content: bytes) -> str:
    """What the server says went wrong: OpenAI's form where it is that, else the text itself."""
    text = content.decode("utf-8", "replace").strip()
    try:
        error: Any = json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return text or "(no message)"
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds; the form with a date is rare and counts as absent."""
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None


def _running_in(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
