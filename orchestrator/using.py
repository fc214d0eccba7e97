"""Use a tool: validate, ask a person first when it writes, call within its time limit, record."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from orchestrator.errors import ToolError
from orchestrator.meter import Meter, priced
from orchestrator.records import utc_now
from orchestrator.run import Outcome, Run
from orchestrator.tools import Tool, Toolbox, ToolContext
from orchestrator.types import ApprovalAsked, ApprovalGiven, Json, Step, StepStatus, Usage
from orchestrator.workspace import Machine


class ToolUser:
    """Calls tools for runs. Shared by all runs of a controller."""

    def __init__(
        self, toolbox: Toolbox, meter: Meter, machine: Machine, state_dir: Path, roots: tuple[Path, ...]
    ) -> None:
        self._toolbox = toolbox
        self._meter = meter
        self._machine = machine
        self._state_dir = state_dir
        self._roots = roots

    async def use(self, run: Run, subtask: str, name: str, inputs: Json) -> Outcome:
        """Call a tool; a write only after somebody said yes to exactly these arguments."""
        run.spending.check()
        tool, started = self._toolbox.get(name), utc_now()
        usage, output, error = Usage(), None, None
        past: Step | None = None
        try:
            # From here on with their declared types and defaults: what is shown is what runs.
            inputs = to_jsonable_python(tool.validate(inputs))
            past = _recorded(run, subtask, tool, inputs)
            if past:
                status, output, error, usage = past.status, past.output, past.error, past.usage
            elif (status := await self._permission(run, subtask, tool, inputs)) == "completed":
                # Bracketed without the wait for an approval, which costs nothing but time.
                with self._meter.span() as span:
                    status, output, error = await self._call(run, subtask, tool, inputs)
                usage = priced(Usage(duration_s=span.wall_s), span.drawn, self._machine)
        except ToolError as problem:
            status, error = "failed", str(problem)
        run.spending.add(usage)
        step = run.step(
            subtask,
            started,
            status,
            tool=name,
            inputs=inputs,
            output=output,
            error=error,
            taken_from=f"{past.run_id}/{past.index}" if past else None,
            usage=usage,
        )
        await run.journal.add_step(step)
        return Outcome(status, output)

    async def _call(
        self, run: Run, subtask: str, tool: Tool, inputs: Json
    ) -> tuple[StepStatus, Any, str | None]:
        try:
            return "completed", await tool.call(inputs, self._context(run, subtask, tool, inputs)), None
        except ToolError as problem:
            return "failed", None, str(problem)

    async def _permission(self, run: Run, subtask: str, tool: Tool, inputs: Json) -> StepStatus:
        if tool.spec.effect == "read":
            return "completed"
        doubts = tuple(f"{step.subtask}: {step.doubt}" for step in run.journal.steps if step.doubt)
        asked = ApprovalAsked(
            run_id=run.journal.run_id,
            subtask=subtask,
            tool=tool.spec.name,
            arguments=inputs,
            doubts=doubts,
        )
        await run.journal.emit(asked)
        if run.approve is None:
            return "waiting"
        approved = await run.approve(asked)
        given = ApprovalGiven(run_id=asked.run_id, subtask=subtask, approved=approved, by="approver")
        await run.journal.emit(given)
        return "completed" if approved else "denied"

    def _context(self, run: Run, subtask: str, tool: Tool, inputs: Json) -> ToolContext:
        call = [run.journal.run_id, subtask, tool.spec.name, inputs]
        key = hashlib.sha256(json.dumps(call, sort_keys=True, default=str).encode()).hexdigest()
        return ToolContext(
            state_dir=self._state_dir,
            content_roots=self._roots,
            run_id=run.journal.run_id,
            idempotency_key=key[:32],
        )


def _recorded(run: Run, subtask: str, tool: Tool, inputs: Json) -> Step | None:
    """In a replay: the call as it was recorded. A write is never made, whatever its arguments are now."""
    if run.past is None:
        return None
    found = run.past.call(subtask, tool.spec.name, inputs)
    return found or (run.past.like(subtask, tool.spec.name) if tool.spec.effect == "write" else None)
