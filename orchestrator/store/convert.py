"""The converting child: `python -m orchestrator.store.convert REQUEST.json`.

Standard output carries one JSON object a line (`progress`, then `converted` or `error`) and nothing else:
libraries print what they like, so file descriptor 1 is moved away first and what they print goes to the
log. Started by `converting.py`; nothing else imports it.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from orchestrator.errors import LilliputError
from orchestrator.store.converting import Request

Say = Callable[[str, int | None, int | None], None]

# recipe -> the module whose `run(request, say)` does it, and the packages whose versions decide the result.
_RECIPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "gguf-to-genai": ("orchestrator.store.convert_gguf", ("lilliput", "numpy", "onnx", "tokenizers")),
    "hf-to-genai": (
        "orchestrator.store.convert_genai",
        ("lilliput", "torch", "transformers", "onnx", "onnxruntime", "onnxruntime-genai"),
    ),
    "encoder-to-onnx": (
        "orchestrator.store.convert_encoder",
        ("lilliput", "numpy", "onnx", "onnxruntime", "tokenizers"),
    ),
}


def main() -> int:
    out = _take_over_stdout()

    def say(text: str, done: int | None = None, total: int | None = None) -> None:
        out({"progress": {"text": text, "done": done, "total": total}})

    try:
        request = Request.model_validate_json(Path(sys.argv[1]).read_bytes())
        started = time.perf_counter()
        module, packages = _RECIPES[request.recipe]
        importlib.import_module(module).run(request, say)
    except LilliputError as error:
        out({"error": error.message, "hint": error.hint})
        return 1
    except ImportError as error:
        out({"error": f"{error}.", "hint": 'Type: pip install "lilliput[torch]"'})
        return 1
    out({"converted": _cost(packages, time.perf_counter() - started)})
    return 0


def _take_over_stdout() -> Callable[[dict[str, Any]], None]:
    """Keep the real standard output for ourselves, and send what everybody else prints to the log."""
    ours = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)

    def out(message: dict[str, Any]) -> None:
        ours.write(json.dumps(message) + "\n")

    return out


def _cost(packages: tuple[str, ...], seconds: float) -> dict[str, Any]:
    tools = {"python": sys.version.split()[0], **{name: _version(name) for name in packages}}
    return {
        "tools": tools,
        "peak_memory_bytes": peak_memory_bytes(),
        "conversion_s": round(seconds, 2),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def peak_memory_bytes() -> int:
    """The most memory that this process ever had resident.

    VmHWM where there is one: ru_maxrss survives exec, so it may tell the parent's peak instead of ours.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    sys.exit(main())
