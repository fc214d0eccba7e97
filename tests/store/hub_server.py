"""A model hub on this machine: it redirects to a second host, serves ranges, and misbehaves on demand."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class Hub:
    """`files` maps a path on the hub to its content; faults are switched on by attributes."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, str | None, str | None]] = []
        self.cut_after: list[
            int
        ] = []  # each transfer cuts the line after so many bytes, until the list is empty
        self.ignore_ranges = False
        self.needs_token: str | None = None
        self._front = _serve(self, "hub")
        self._storage = _serve(self, "storage")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self._front, self._storage):
            server.shutdown()
            server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._front.server_address[1]}"

    @property
    def storage_url(self) -> str:
        # Another host name, so that the client must treat it as another site.
        return f"http://localhost:{self._storage.server_address[1]}"

    def ranges(self) -> list[str | None]:
        """The Range headers that the storage saw, in order."""
        return [wanted for site, _, wanted, _ in self.requests if site == "storage"]


def _serve(hub: Hub, site: str) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            token = self.headers.get("Authorization")
            hub.requests.append((site, self.path, self.headers.get("Range"), token))
            if self.path not in hub.files:
                self._answer(404)
            elif site == "hub" and hub.needs_token and token != f"Bearer {hub.needs_token}":
                self._answer(401)
            elif site == "hub":
                self._answer(302, {"Location": hub.storage_url + self.path})
            else:
                self._send(hub.files[self.path])

        def _answer(self, status: int, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": "0", **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()

        def _send(self, content: bytes) -> None:
            wanted = self.headers.get("Range")
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and not hub.ignore_ranges else 0
            if start >= len(content) > 0:
                self._answer(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            if hub.cut_after:
                self.wfile.write(content[start : start + hub.cut_after.pop(0)])
                self.close_connection = True
                return
            self.wfile.write(content[start:])

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server
