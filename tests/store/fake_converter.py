"""A converter that speaks the real one's protocol and does what the request's options say.

steps, pause_ms     write so many files, with a pause after each
say                 print this first, as a chatty library would
fail                end with this error
crash               end with this exit code, without a word
leave               write a file of this name
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    request = json.loads(Path(sys.argv[1]).read_text())
    options: dict[str, Any] = request["options"]
    sys.stderr.write(str(options.get("say", "")) + "\n")
    output = Path(request["output"])
    for step in range(int(options.get("steps", 1))):
        (output / f"weights-{step}.onnx.data").write_bytes(os.urandom(1000))
        tell({"progress": {"text": "pretending", "done": step + 1, "total": options.get("steps", 1)}})
        time.sleep(int(options.get("pause_ms", 0)) / 1000)
    if "fail" in options:
        tell({"error": options["fail"], "hint": "Try something else."})
        sys.exit(1)
    if "crash" in options:
        sys.exit(int(options["crash"]))
    if "leave" in options:
        (output / str(options["leave"])).write_bytes(b"\x80\x04never read this")
    names = sorted(path.name for path in Path(request["source"]).iterdir())
    (output / "sources.json").write_text(json.dumps(names))
    tell({"converted": {"tools": {"fake": "1.0"}, "peak_memory_bytes": 12345, "conversion_s": 0.5}})


def tell(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
