"""An OpenAI-compatible server, well behaved and otherwise."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from orchestrator.errors import ModelError, UserError
from orchestrator.runtimes.remote import RemoteSession
from orchestrator.types import Generation
from tests.runtimes.helpers import ask, card
from tests.runtimes.server import Reply, Server, chunk, events, serving

USAGE = {
    "choices": [],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
}
GOOD = Reply(events(chunk("Hel"), chunk("lo"), chunk(finish="stop"), USAGE))


class Pauses(list[float]):
    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def remote(url: str, timeout_s: float = 5.0, **options: Any) -> RemoteSession:
    endpoint = {"base_url": url, "model": "large-70b", "api_key_env": "LARGE_KEY", "timeout_s": timeout_s}
    model = card("large", "remote", remote=endpoint, options=options)
    return RemoteSession(model, {"LARGE_KEY": "sk-secret"}, sleep=Pauses())


def pauses(session: RemoteSession) -> Pauses:
    assert isinstance(session._sleep, Pauses)
    return session._sleep


@asynccontextmanager
async def talking(*replies: Reply, **options: Any) -> AsyncIterator[tuple[RemoteSession, Server]]:
    async with serving(*replies) as server:
        session = remote(server.url, **options)
        try:
            yield session, server
        finally:
            session.close()
            await asyncio.sleep(0)


async def answer(*replies: Reply, session_options: dict[str, Any] | None = None, **fields: Any) -> Generation:
    async with talking(*replies, **(session_options or {})) as (session, _):
        return await session.generate(ask(**fields))


async def asked(**fields: Any) -> tuple[Server, dict[str, Any]]:
    """What the server hears for such a request."""
    options = fields.pop("session_options", {})
    async with talking(GOOD, **options) as (session, server):
        await session.generate(ask(**fields))
    return server, server.heard[0].body


async def test_it_streams_counts_and_finishes() -> None:
    told: list[str] = []
    async with talking(GOOD) as (session, _):
        reply = await session.generate(ask(), told.append)
    assert told == ["Hel", "lo"]
    assert (reply.text, reply.finish) == ("Hello", "stop")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens) == (9, 2, 4)
    assert reply.ttft_s is not None
    assert 0 < reply.ttft_s <= reply.duration_s


async def test_what_is_sent() -> None:
    schema = {"type": "object"}
    server, body = await asked(
        text="Hi.", system="Be brief.", json_schema=schema, stop=("#",), max_tokens=7, logprobs=True, seed=3
    )
    assert server.heard[0].path == "/v1/chat/completions"
    assert server.heard[0].headers["authorization"] == "Bearer sk-secret"
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi."},
    ]
    assert (body["model"], body["max_tokens"], body["stop"], body["seed"]) == ("large-70b", 7, ["#"], 3)
    assert body["logprobs"] is True
    assert body["stream_options"] == {"include_usage": True}
    form = body["response_format"]["json_schema"]
    assert (form["schema"], form["strict"]) == (schema, False)


async def test_options_of_the_card() -> None:
    options = {"strict_schema": True, "max_tokens_field": "max_completion_tokens"}
    _, body = await asked(json_schema={"type": "object"}, session_options=options)
    assert body["response_format"]["json_schema"]["strict"] is True
    assert "max_completion_tokens" in body
    assert "max_tokens" not in body


async def test_log_probabilities_are_passed_on_and_none_when_the_server_has_none() -> None:
    scored = Reply(events(chunk("a", logprob=-0.5), chunk("b", finish="stop", logprob=-0.25)))
    assert (await answer(scored, logprobs=True)).logprobs == (-0.5, -0.25)
    assert (await answer(GOOD, logprobs=True)).logprobs is None


async def test_length_is_length() -> None:
    assert (await answer(Reply(events(chunk("a", finish="length"))))).finish == "length"


async def test_a_server_that_does_not_stream_is_understood() -> None:
    whole = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}], "usage": {}}
    reply = await answer(Reply(json.dumps(whole).encode(), kind="application/json"))
    assert (reply.text, reply.prompt_tokens) == ("Hello", None)


@pytest.mark.parametrize("status", [429, 500, 503, 529])
async def test_a_busy_server_is_asked_again(status: int) -> None:
    async with talking(Reply(b"", status), Reply(b"", status), GOOD) as (session, _):
        assert (await session.generate(ask())).text == "Hello"
        assert pauses(session) == [0.5, 1.0]


async def test_retry_after_is_honoured() -> None:
    async with talking(Reply(b"", 429, headers={"retry-after": "7"}), GOOD) as (session, _):
        await session.generate(ask())
        assert pauses(session) == [7.0]


async def test_too_long_a_pause_is_an_error_at_once() -> None:
    with pytest.raises(ModelError, match=r"status 429: slow down"):
        await answer(Reply(b"slow down", 429, headers={"retry-after": "3600"}))


async def test_it_gives_up_in_the_end_with_the_servers_message() -> None:
    said = json.dumps({"error": {"message": "overloaded"}}).encode()
    with pytest.raises(ModelError, match=r"'large' at http://.* answered with status 503: overloaded"):
        await answer(*[Reply(said, 503)] * 4)


async def test_a_wrong_key_names_the_variable_and_not_the_key() -> None:
    said = json.dumps({"error": {"message": "Incorrect API key provided: sk-secret."}}).encode()
    with pytest.raises(ModelError, match=r"status 401.*\*\*\*.*LARGE_KEY") as caught:
        await answer(Reply(said, 401))
    assert "sk-secret" not in str(caught.value)


def test_a_missing_key_is_the_users_error() -> None:
    endpoint = {"base_url": "http://127.0.0.1:1", "model": "m", "api_key_env": "LARGE_KEY"}
    with pytest.raises(UserError, match=r"LARGE_KEY, which is not set.*export LARGE_KEY"):
        RemoteSession(card("large", "remote", remote=endpoint), {})


@pytest.mark.parametrize(
    "body",
    [
        b"data: {not json}\n\n",
        b'data: {"no": "choices"}\n\n',
        b'data: ["a list"]\n\n',
        b'data: {"choices": "none"}\n\n',
        b'data: {"choices": [{"delta": {"content": 5}}]}\n\n',
    ],
)
async def test_malformed_replies_are_model_errors(body: bytes) -> None:
    with pytest.raises(ModelError, match="no chat completion"):
        await answer(Reply(body))


@pytest.mark.parametrize("body", [events(chunk("half an ans")), events()])
async def test_an_answer_without_an_end_is_no_answer(body: bytes) -> None:
    with pytest.raises(ModelError, match="broke off"):
        await answer(Reply(body))


async def test_a_cut_connection_within_an_answer_is_not_tried_again() -> None:
    half = Reply(events(chunk("half")).replace(b"data: [DONE]\n\n", b""), cut=True)
    async with talking(half, GOOD) as (session, server):
        with pytest.raises(ModelError, match="did not answer"):
            await session.generate(ask())
        assert len(server.heard) == 1


async def test_an_error_inside_a_stream_is_told() -> None:
    with pytest.raises(ModelError, match="out of memory"):
        await answer(Reply(events(chunk("a"), {"error": {"message": "out of memory"}})))


async def test_a_filtered_answer_is_not_passed_on() -> None:
    with pytest.raises(ModelError, match="content_filter"):
        await answer(Reply(events(chunk("a", finish="content_filter"))))


async def test_nobody_there() -> None:
    session = remote("http://127.0.0.1:9")
    with pytest.raises(ModelError, match="Is a server listening"):
        await session.generate(ask())
    assert len(pauses(session)) == 3
    session.close()
    await asyncio.sleep(0)


async def test_a_server_that_takes_too_long() -> None:
    slow = Reply(b"", delay_s=0.5)
    with pytest.raises(ModelError, match="ReadTimeout"):
        await answer(*[slow] * 4, session_options={"timeout_s": 0.05})


async def test_calls_may_run_at_the_same_time() -> None:
    slow = Reply(GOOD.body, delay_s=0.5)
    async with talking(slow, slow, slow) as (session, server):
        await asyncio.gather(*[session.generate(ask()) for _ in range(3)])
    assert server.most_inside == 3


async def test_a_call_can_be_cancelled_and_the_session_used_again() -> None:
    async with talking(Reply(b"", delay_s=30), GOOD) as (session, server):
        task = asyncio.create_task(session.generate(ask()))
        await server.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await session.generate(ask())).text == "Hello"


def test_tokens_are_estimated() -> None:
    assert remote("http://127.0.0.1:9").count_tokens(ask("x" * 40)) == 14
