"""What a recorded run did, for a replay: the same question to the same model is answered from the record.

A replay asks again only what the other policy asks otherwise. Tools that write are never called: what they
gave back then stands for what they would give, and a write that the record does not know waits for an
approval that nobody gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.types import Json, Step


class Past:
    """The steps of one recorded run."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = [step for step in steps if step.status != "skipped"]

    def answer(self, subtask: str, agent: str, model: str | None, attempt: int, inputs: Json) -> Step | None:
        """The step in which this model was asked just this as this agent, for the same time."""
        wanted = (subtask, agent, model, attempt, inputs)
        return self._find(lambda s: (s.subtask, s.agent, s.model, s.attempt, s.inputs) == wanted)

    def call(self, subtask: str, tool: str, inputs: Json) -> Step | None:
        """The step in which this tool was called with just these arguments."""
        return self._find(lambda s: (s.subtask, s.tool, s.inputs) == (subtask, tool, inputs))

    def like(self, subtask: str, tool: str) -> Step | None:
        """The step in which this tool was called here, with whatever arguments."""
        return self._find(lambda s: (s.subtask, s.tool) == (subtask, tool))

    def _find(self, fits: Callable[[Step], bool]) -> Step | None:
        return next(filter(fits, self._steps), None)
