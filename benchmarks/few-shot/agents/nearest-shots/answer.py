"""The most similar worked examples, the nearest last: a generator heeds most what it has just read."""

from __future__ import annotations

from typing import Any

import numpy as np

from orchestrator.agent import Call
from orchestrator.kit.shots import read_shots
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    shots = read_shots(call.find_folder(inputs["folder"]))
    vectors = await call.embed([shot.text for shot in shots], keep=True)
    (wanted,) = await call.embed([inputs["text"]])
    near = np.argsort(-(vectors @ wanted), kind="stable")[: inputs.get("many") or call.spec.options["many"]]
    chosen = [{"shown": shots[place].shown, "answer": shots[place].answer} for place in reversed(near)]
    return Answer(output={"shots": chosen}, reason=f"{len(chosen)} of {len(shots)}")
