"""The most similar examples, the nearest last: a generator heeds most what it has just read."""

from __future__ import annotations

from typing import Any

import numpy as np

from orchestrator.agent import Call
from orchestrator.kit.examples import read_examples
from orchestrator.types import Answer


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    examples = read_examples(call.find_folder(inputs["folder"]))
    vectors = await call.embed([example.text for example in examples], keep=True)
    (wanted,) = await call.embed([inputs["text"]])
    near = np.argsort(-(vectors @ wanted), kind="stable")[: inputs.get("many") or call.spec.options["many"]]
    chosen = [examples[place]._asdict() for place in reversed(near)]
    return Answer(output={"examples": chosen}, reason=f"{len(chosen)} of {len(examples)}")
