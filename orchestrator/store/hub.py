"""Fetch one file from a model hub over its HTTP interface, and resume where a cut connection left off.

    GET {endpoint}/{owner}/{repo}/resolve/{revision}/{path}

HF_ENDPOINT names another hub (a mirror, a test server), HF_TOKEN opens gated models. The token goes to the
endpoint only: files usually live on another host, behind a redirect, and httpx2 drops the header there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from orchestrator.errors import IntegrityError, StoreError
from orchestrator.store.sources import HubPart

if TYPE_CHECKING:  # importing it costs a tenth of a second, and most commands download nothing
    import httpx2

_DEFAULT_ENDPOINT = "https://huggingface.co"
_ATTEMPTS = 4


def url_of(part: HubPart, environ: Mapping[str, str]) -> str:
    endpoint = (environ.get("HF_ENDPOINT") or _DEFAULT_ENDPOINT).rstrip("/")
    return f"{endpoint}/{part.repo}/resolve/{quote(part.revision, safe='')}/{quote(part.path)}"


def fetch_from_hub(
    part: HubPart,
    *,
    partial: Path,
    target: Path,
    limit_bytes: int,
    environ: Mapping[str, str],
    on_bytes: Callable[[int], None],
    stopped: threading.Event,
) -> None:
    """Fetch into `partial`, then rename it to `target`. What arrived stays there when the line is cut."""
    import httpx2

    url = url_of(part, environ)
    headers = {"Authorization": f"Bearer {token}"} if (token := environ.get("HF_TOKEN")) else {}
    last: Exception | None = None
    with httpx2.Client(follow_redirects=True, max_redirects=5, timeout=30.0, headers=headers) as client:
        for _ in range(_ATTEMPTS):
            try:
                _transfer(client, url, partial, limit_bytes, on_bytes, stopped)
            except httpx2.TransportError as error:
                last = error
                continue
            partial.replace(target)
            return
    raise StoreError(
        f"The connection to {url} failed {_ATTEMPTS} times: {last}.",
        hint="Check the network and HF_ENDPOINT, then pull again: what arrived is kept and resumed.",
    ) from last


def _transfer(
    client: httpx2.Client,
    url: str,
    partial: Path,
    limit_bytes: int,
    on_bytes: Callable[[int], None],
    stopped: threading.Event,
) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    # Compressed transfer would make byte positions meaningless.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == 416:  # asked beyond the end: it is all here, and the hash will tell
            return
        _expect_success(response, url)
        resumed = response.status_code == 206
        done = have if resumed else 0
        with partial.open("ab" if resumed else "wb") as out:
            # Raw, as it comes: gathering larger pieces would lose what was gathered when the line is cut.
            for chunk in response.iter_raw():
                done += len(chunk)
                _expect_room(url, done, limit_bytes, partial)
                if stopped.is_set():
                    raise StoreError(f"The download of {url} was stopped.")
                out.write(chunk)
                on_bytes(done)


def _expect_success(response: httpx2.Response, url: str) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    hints = {
        401: "The model is gated or private: set HF_TOKEN to a token that may read it.",
        403: "The token may not read this model: accept its licence on the hub, or set another HF_TOKEN.",
        404: "Check owner, repository, revision and path on the card.",
        429: "The hub asks to slow down: wait a few minutes and pull again.",
    }
    raise StoreError(f"{url} answered {status}.", hint=hints.get(status, "Pull again later."))


def _expect_room(url: str, done: int, limit_bytes: int, partial: Path) -> None:
    if done <= limit_bytes:
        return
    partial.unlink(missing_ok=True)
    raise IntegrityError(
        f"{url} sends more than the {limit_bytes:,} bytes that the card names.",
        hint="The file has changed since the card was written. Nothing was installed.",
    )
