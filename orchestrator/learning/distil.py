"""S5, the data: the reference model answers texts of yours, so that a small one can learn from its answers.

The idea is distillation (Hinton et al., arXiv 1503.02531), with answers instead of probabilities. Each answer
is a run like any other, in the records: what was answered before is not asked again, so that one who was
interrupted goes on where it was, and `collect` finds it.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.controller import Controller
from orchestrator.learning.gate import Heard
from orchestrator.records import Records
from orchestrator.types import Json, Learns, Record, Task

_ROUTE = "all-reference"


class Distilled(Record):
    """Texts that were asked now, that had been answered before, and that got no answer."""

    asked: int
    known: int
    failed: int


async def distil(
    controller: Controller,
    records: Records,
    agent: str,
    learns: Learns,
    given: Json,
    texts: Sequence[str],
    heard: Heard,
) -> Distilled:
    """Each text once, as the agent's input with what is `given` beside it."""
    answered = {
        str(step.inputs.get(learns.text))
        for step in records.steps_of(agent)
        if step.status == "completed" and step.route is not None and step.route.policy == _ROUTE
        if {**step.inputs, learns.text: ""} == {**given, learns.text: ""}
    }
    every = list(dict.fromkeys(text for text in texts if text.strip()))
    asked = [text for text in every if text not in answered]
    failed = 0
    for done, text in enumerate(asked, start=1):
        task = Task(input={**given, learns.text: text}, agent=agent, route=_ROUTE)
        result = await controller.run_to_end(task)
        failed += result.status != "completed"
        heard(done, len(asked))
    return Distilled(asked=len(asked), known=len(every) - len(asked), failed=failed)
