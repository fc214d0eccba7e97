"""Hugging Face folder -> ONNX model for onnxruntime-genai, with its builder.

The builder is a script (`onnxruntime_genai.models.builder`); it is called as a function here, because a
second interpreter would import torch a second time. What it prints is its only progress.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import StoreError

if TYPE_CHECKING:
    from orchestrator.store.convert import Say
    from orchestrator.store.converting import Request

_PRECISIONS = {"float32": "fp32", "int4": "int4", "int8": "int8"}
_LAYER = re.compile(r"Reading layer (\d+)")


def run(request: Request, say: Say) -> None:
    build(request.source, request, say)


def build(folder: Path, request: Request, say: Say) -> None:
    """Build `folder` into the request's output. The card's options go to the builder as they are."""
    if request.precision not in _PRECISIONS:
        raise StoreError(
            f"The builder has no precision {request.precision!r} for a CPU; "
            f"it knows {', '.join(_PRECISIONS)}.",
            hint="Correct `precision` in the card's conversion.",
        )
    say("loading the builder", None, None)
    from onnxruntime_genai.models import builder

    precision, cache = _PRECISIONS[request.precision], str(request.work / "cache")
    options = [f"{name}={_plain(value)}" for name, value in request.options.items()]
    with _heard(say):
        arguments = ("", str(folder), str(request.output), precision, "cpu", cache)
        builder.create_model(*arguments, **builder.parse_extra_options(*arguments, options))


def _plain(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@contextmanager
def _heard(say: Say) -> Iterator[None]:
    """Pass the builder's prints on as progress."""
    real = sys.stdout
    sys.stdout = _Listener(say)
    try:
        yield
    finally:
        sys.stdout = real


class _Listener:
    def __init__(self, say: Say) -> None:
        self._say = say

    def write(self, text: str) -> int:
        if match := _LAYER.search(text):
            self._say(f"building layer {match[1]}", None, None)
        elif "Saving ONNX" in text:
            self._say("quantising and saving", None, None)
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()
