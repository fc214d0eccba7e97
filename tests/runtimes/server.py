"""A small HTTP server in this process that answers what a test tells it to, request by request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Reply:
    """One answer. `cut`: the connection breaks before the body is as long as announced."""

    body: bytes
    status: int = 200
    kind: str = "text/event-stream"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    delay_s: float = 0.0


@dataclass
class Heard:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Server:
    """Gives its replies one after the other; `heard` keeps what was asked."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self._replies = iter(replies)
        self.heard: list[Heard] = []
        self.inside = 0
        self.most_inside = 0
        self.asked = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                headers = await self._headers(reader)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.heard.append(Heard(line.split()[1].decode(), headers, json.loads(body or b"{}")))
                if not await self._answer(next(self._replies), writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _headers(self, reader: asyncio.StreamReader) -> dict[str, str]:
        headers = {}
        while (line := (await reader.readline()).decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return headers

    async def _answer(self, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        self.asked.set()
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        await asyncio.sleep(reply.delay_s)
        self.inside -= 1
        length = len(reply.body) + (100 if reply.cut else 0)
        head = {"content-type": reply.kind, "content-length": str(length), **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} Whatever", *(f"{name}: {value}" for name, value in head.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + reply.body)
        await writer.drain()
        return not reply.cut


@asynccontextmanager
async def serving(*replies: Reply) -> AsyncIterator[Server]:
    server = Server(replies)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"http://127.0.0.1:{port}/v1"
    async with listening:
        yield server


def events(*parts: dict[str, Any] | str) -> bytes:
    """Server-sent events, ended as OpenAI ends them."""
    lines = [part if isinstance(part, str) else json.dumps(part) for part in (*parts, "[DONE]")]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def chunk(text: str = "", finish: str | None = None, logprob: float | None = None) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    if logprob is not None:
        choice["logprobs"] = {"content": [{"token": text, "logprob": logprob}]}
    return {"object": "chat.completion.chunk", "choices": [choice]}
