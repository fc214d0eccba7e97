"""Make training rows for a specialist of choose-tool: each request with the ten tools that find-tools finds.

    python benchmarks/seal-tools/choices.py OUT.jsonl        # LILLIPUT_DATA_DIR names the folder of data sets

It is to choose among what the encoder finds, so that is what it learns from: the even rows of the
development split, each call of a request in a row of its own, with no other tool of that request beside it.
A tool that is not among the ten takes the place of the last. Of what is learnt from, the five nearest are
enough, as the others are told apart easily. The odd rows of one call are to choose by.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.bench.data import named_dataset
from orchestrator.controller import Controller, open_controller
from orchestrator.settings import load_settings
from orchestrator.store.files import replace_text
from orchestrator.tools import load_module
from orchestrator.types import Json, Task
from orchestrator.workspace import Workspace, builtin_root

SCORE = load_module(Path(__file__).parent / "score.py")
TOOLS, NEAREST = 10, 5


async def main(out: Path) -> None:
    settings = load_settings().settings
    files = named_dataset((builtin_root(),), "seal-tools", settings).files
    with tempfile.TemporaryDirectory() as folder:
        SCORE.materials(files, Path(folder))
        async with open_controller(Workspace((builtin_root(),)), settings) as controller:
            made = [row async for row in _rows(controller, files, folder)]
    replace_text(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made))
    first = [row["inputs"]["tools"][0]["name"] == row["label"] for row in made if row["split"] == "dev"]
    sys.stderr.write(
        f"{len(made)} rows: {out}\nfind-tools is right in {sum(first)} of {len(first)} to choose by\n"
    )


async def _rows(controller: Controller, files: Mapping[str, Path], folder: str) -> AsyncIterator[Json]:
    every = SCORE.rows_of(files["dev.jsonl"])
    known = {tool["name"]: tool for tool in map(SCORE.tool_of, SCORE.rows_of(files["tool.jsonl"]))}
    judged = {row["id"] for row in SCORE.single(files, "dev", first=1)}
    learnt = {row["id"] for row in [*every[::2], *SCORE.single(files, "dev", first=0)]} - judged
    for row in every:
        if row["id"] not in judged | learnt:
            continue
        names = list(dict.fromkeys(call["api"] for call in row["calling"]))
        split, many = ("dev", TOOLS) if row["id"] in judged else ("train", NEAREST)
        found = await _found(controller, row["query"], folder)
        for name in names:
            near = [tool for tool in found if tool["name"] == name or tool["name"] not in names][:many]
            if known[name] not in near:
                near[-1] = known[name]
            yield {"text": row["query"], "label": name, "split": split, "inputs": {"tools": near}}


async def _found(controller: Controller, text: str, folder: str) -> list[Any]:
    given = {"text": text, "folder": folder, "many": 2 * TOOLS}
    result = await controller.run_to_end(Task(agent="find-tools", input=given, route="only:minilm-l6"))
    if not isinstance(result.answer, dict):
        raise RuntimeError(f"find-tools failed: {result.error}")
    return list(result.answer["tools"])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
