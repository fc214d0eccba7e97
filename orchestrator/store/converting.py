"""Run a conversion in a child process and hear how it goes. The child's side is `convert.py`.

A child, because converters hold gigabytes that a long-lived process would never give back to the system,
because their peak memory can be measured only alone, and because killing it leaves nothing behind.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.errors import StoreError
from orchestrator.store import children
from orchestrator.store.progress import Reporter
from orchestrator.store.staging import Stage
from orchestrator.types import ModelCard, Record

CONVERTER = ("orchestrator.store.convert",)
# Official onnxruntime wheels report usage unless told not to, and no conversion may reach for a hub.
_QUIET = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}


class Request(Record):
    """What the child is asked to do. Folders are absolute; `source` holds links to the fetched files."""

    recipe: str
    precision: str
    options: dict[str, str | int | bool]
    source: Path
    output: Path
    work: Path

    def check_no_options(self) -> None:
        """For recipes that have none: an option that is not read would be a silent lie on the card."""
        if self.options:
            raise StoreError(
                f"{self.recipe} takes no options; the card gives {', '.join(self.options)}.",
                hint="Delete `options` from the card's conversion.",
            )


class Converted(Record):
    """What it cost, measured by the child itself."""

    tools: dict[str, str] = {}
    peak_memory_bytes: int | None = None
    conversion_s: float | None = None


def convert(
    card: ModelCard,
    files: Mapping[str, Path],
    *,
    stage: Stage,
    output: Path,
    environ: Mapping[str, str],
    report: Reporter,
    command: Sequence[str] = CONVERTER,
) -> Converted:
    """Turn the fetched files into `output`. Raises StoreError with the end of the converter's log."""
    request = Request(
        recipe=card.conversion.recipe,
        precision=card.conversion.precision,
        options=card.conversion.options,
        source=_lay_out(files, stage.make("source")),
        output=output,
        work=stage.make("work"),
    )
    path = stage.folder / "request.json"
    path.write_text(request.model_dump_json(), "utf-8")
    log = stage.folder / "convert.log"
    child = children.start(
        [*command, str(path)],
        stage=stage,
        folder=request.work,
        log=log,
        environ={**environ, **_QUIET},
        listen=True,
    )
    try:
        return _listen(card, child, report, log)
    finally:
        children.end(child)


def _lay_out(files: Mapping[str, Path], folder: Path) -> Path:
    """Links under the names that the card gives: converters look for `config.json`, not for a hash."""
    for name, path in files.items():
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.resolve())
    return folder


def _listen(card: ModelCard, child: subprocess.Popen[bytes], report: Reporter, log: Path) -> Converted:
    """The child says one JSON object a line: `progress`, and at the end `converted` or `error`."""
    assert child.stdout is not None
    converted: Converted | None = None
    for line in child.stdout:
        said = json.loads(line)
        if "progress" in said:
            report("convert", **said["progress"])
        elif "error" in said:
            raise StoreError(f"Converting {card.name!r} failed: {said['error']}", hint=said.get("hint"))
        else:
            converted = Converted.model_validate(said["converted"])
    code = child.wait()
    if converted is None or code != 0:
        raise _died(card, code, log)
    return converted


def _died(card: ModelCard, code: int, log: Path) -> StoreError:
    if code == -9:
        reason = "was killed, which is what the system does when memory runs out"
        hint = "Close other programs and pull again; nothing has to be downloaded a second time."
    else:
        reason = f"ended with code {code}"
        hint = "The end of its log is above; the downloads were kept, so pulling again only converts."
    return StoreError(
        f"The conversion of {card.name!r} {reason}. Its log ends:\n{children.tail(log)}\n", hint=hint
    )
