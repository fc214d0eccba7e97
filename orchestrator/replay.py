"""Recorded work once more under another policy: what would have come out otherwise, and at what cost.

Each run goes through the product's own controller with its record at hand (`past.py`): where the policy asks
the same model the same thing, the record answers, at what it cost then; only what differs is asked now. So a
replay under the policy of then costs nothing and adds up to the record. Nothing is written by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence

from orchestrator.controller import Controller
from orchestrator.past import Past
from orchestrator.records import RunRecord
from orchestrator.types import Record, RunDone, RunResult, Step, StepDone, Usage


class StepChange(Record):
    """A subtask then and now. None: it was not asked."""

    subtask: str
    models_then: tuple[str, ...]
    models_now: tuple[str, ...]
    same_output: bool
    other_arguments: bool = False
    usage_then: Usage
    usage_now: Usage

    @property
    def changed(self) -> bool:
        return self.models_then != self.models_now or not self.same_output or self.other_arguments


class Replayed(Record):
    """One run then and now. Usage is that of its steps; `asked`: how many steps each model was asked anew."""

    run_id: str
    status_then: str
    status_now: str
    same_answer: bool
    asked: Mapping[str, int]
    usage_then: Usage
    usage_now: Usage
    steps: tuple[StepChange, ...]


class Total(Record):
    """Over all replayed runs."""

    runs: int
    same_answers: int
    asked: Mapping[str, int]
    usage_then: Usage
    usage_now: Usage


async def replay(controller: Controller, runs: Sequence[RunRecord], policy: str) -> AsyncIterator[Replayed]:
    """One after the other. Runs that have no end, or whose workflow or agent is gone, raise UserError."""
    for record in runs:
        task = record.task.model_copy(update={"route": policy})
        steps: list[Step] = []
        result: RunResult | None = None
        async for event in controller.run(task, past=Past(record.steps)):
            if isinstance(event, StepDone):
                steps.append(event.step)
            elif isinstance(event, RunDone):
                result = event.result
        assert result is not None
        yield _held_against(record, result, steps)


def total(found: Sequence[Replayed]) -> Total:
    return Total(
        runs=len(found),
        same_answers=sum(each.same_answer for each in found),
        asked=dict(sum((Counter(each.asked) for each in found), Counter[str]())),
        usage_then=sum((each.usage_then for each in found), Usage()),
        usage_now=sum((each.usage_now for each in found), Usage()),
    )


def _held_against(record: RunRecord, result: RunResult, steps: Sequence[Step]) -> Replayed:
    then, now = _by_subtask(record.steps), _by_subtask(steps)
    names = list(dict.fromkeys((*then, *now)))
    changes = tuple(_change(name, then.get(name, []), now.get(name, [])) for name in names)
    before = record.result
    return Replayed(
        run_id=record.summary.id,
        status_then=record.summary.status,
        status_now=result.status,
        same_answer=before is not None and before.answer == result.answer,
        asked=Counter(step.model for step in steps if step.model and step.taken_from is None),
        usage_then=_used(record.steps),
        usage_now=_used(steps),
        steps=changes,
    )


def _change(subtask: str, then: Sequence[Step], now: Sequence[Step]) -> StepChange:
    return StepChange(
        subtask=subtask,
        models_then=_models(then),
        models_now=_models(now),
        same_output=bool(then and now) and then[-1].output == now[-1].output,
        other_arguments=any(step.tool and step.inputs != _inputs(then) for step in now),
        usage_then=_used(then),
        usage_now=_used(now),
    )


def _by_subtask(steps: Sequence[Step]) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in steps:
        found.setdefault(step.subtask, []).append(step)
    return found


def _models(steps: Sequence[Step]) -> tuple[str, ...]:
    return tuple(step.model or step.tool or "code" for step in steps)


def _inputs(steps: Sequence[Step]) -> object:
    return steps[-1].inputs if steps else None


def _used(steps: Sequence[Step]) -> Usage:
    return sum((step.usage for step in steps), Usage())
