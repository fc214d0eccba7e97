"""The master: task -> plan -> (route -> call -> check)* -> answer.

Read it top to bottom. `run` streams events, `_work` goes from task to answer, `_plan` makes the plan,
`_execute` runs the graph of subtasks, and `_subtask` does one of them: an agent is asked (`asking.py`) or a
tool is used (`using.py`). The CLI, the API and the benchmark all come through `run`, so that what is measured
is what is used.

An error of the user raises before anything is recorded. An error of a model or a tool becomes part of the
record and is handled: the same model is told and tried again, then the next one, then the subtask fails.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from orchestrator import planning, routing
from orchestrator.agent import schema_problem
from orchestrator.asking import Asker
from orchestrator.budget import Spending
from orchestrator.errors import InvalidInput, LilliputError, PlanError
from orchestrator.journal import Journal
from orchestrator.meter import Drawn, Meter, open_counters, priced
from orchestrator.meter.energy import idle_energy_j
from orchestrator.past import Past
from orchestrator.records import Records, utc_now
from orchestrator.run import Approver, Ending, Outcome, Run, ending, least_confidence, usage_by_model
from orchestrator.runtimes.pool import ModelPool
from orchestrator.settings import Settings
from orchestrator.store import ModelStore
from orchestrator.tools import Toolbox, load_toolbox
from orchestrator.types import (
    AgentSpec,
    Event,
    Json,
    Plan,
    Planned,
    RunDone,
    RunResult,
    StepStatus,
    Subtask,
    Task,
    Usage,
)
from orchestrator.using import ToolUser
from orchestrator.workspace import Workspace


class Controller:
    """Runs tasks. Several runs may go on at once; they share the pool of loaded models."""

    def __init__(
        self,
        workspace: Workspace,
        settings: Settings,
        store: ModelStore,
        pool: ModelPool,
        records: Records,
        toolbox: Toolbox,
    ) -> None:
        self.workspace = workspace
        self.settings = settings
        self.store = store
        self.pool = pool
        self.records = records
        self.toolbox = toolbox
        self.meter = Meter(counters=open_counters())
        self._machine = workspace.machine(settings.machine)
        self._asker = Asker(workspace, settings, store, pool, self.meter, self._machine)
        self._tools = ToolUser(toolbox, self.meter, self._machine, settings.state_dir, workspace.roots)

    async def run(
        self, task: Task, *, approve: Approver | None = None, past: Past | None = None
    ) -> AsyncGenerator[Event, None]:
        """Do the task and tell what happens. Without `approve` a write waits: the run ends input-required.
        With `past` only what that recorded run did not do is done, and nothing is written.

        Raises UserError before anything is recorded. Closing the iterator early cancels the run.
        """
        self.workspace.refresh()
        self._insist(task)
        journal = Journal(self.records, task)
        run = Run(task, journal, Spending(task.budget), approve, {"task": task.input}, past)
        work = asyncio.create_task(self._work(run))
        try:
            async for event in journal.events():
                yield event
            await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def run_to_end(self, task: Task, *, approve: Approver | None = None) -> RunResult:
        """Do the task and return only its end."""
        async for event in self.run(task, approve=approve):
            if isinstance(event, RunDone):
                result = event.result
        return result

    # --- from task to answer ---------------------------------------------------------------------------

    async def _work(self, run: Run) -> None:
        end = Ending("failed")
        try:
            with self.meter.run() as own:
                async with asyncio.timeout(run.spending.seconds_left):
                    plan = await self._plan(run)
                    run.journal.post(Planned(run_id=run.journal.run_id, plan=plan))
                    outcomes = await self._execute(run, plan)
                end = ending(plan, outcomes, run.scope, run.journal.steps)
        except TimeoutError:
            end = Ending("failed", error=f"The budget of {run.task.budget.time_s} seconds is used up.")
        except LilliputError as problem:
            end = Ending("failed", error=str(problem))
        except asyncio.CancelledError:
            end = Ending("canceled", error="The run was stopped.")
            raise
        except Exception as bug:
            end = Ending("failed", error=f"Lilliput itself failed: {type(bug).__name__}: {bug}")
            raise
        finally:
            await self._finish(run, end, own.drawn)

    async def _finish(self, run: Run, end: Ending, own: Drawn) -> None:
        """`own`: what planning, routing, checking and recording used, beside the calls."""
        elapsed_s = run.spending.elapsed_s
        by_model = usage_by_model(run.journal.steps)
        by_model["overhead"] = priced(Usage(), own, self._machine)
        total = sum(by_model.values(), Usage()).model_copy(update={"duration_s": elapsed_s, "ttft_s": None})
        result = RunResult(
            run_id=run.journal.run_id,
            status=end.status,
            answer=end.answer,
            refused=end.refused,
            error=end.error,
            confidence=least_confidence(run.journal.steps),
            usage=total,
            usage_by_model=by_model,
            idle_energy_j=idle_energy_j(elapsed_s, own, self._machine),
        )
        try:
            await run.journal.emit(RunDone(run_id=run.journal.run_id, result=result))
        finally:
            run.journal.close()  # whatever happened, nobody must wait for ever

    async def _plan(self, run: Run) -> Plan:
        if run.task.workflow:
            return planning.plan_from_workflow(self.workspace.workflow(run.task.workflow))
        if run.task.agent:
            return planning.plan_from_agent(run.task.agent, run.task.input)
        return await self._plan_by_model(run)

    async def _plan_by_model(self, run: Run) -> Plan:
        """Let the controller model write the plan; one that cannot run goes back once with the reasons."""
        agents = {n: a for n, a in self._agent_specs().items() if planning.takes_text(a.input)}
        agents.pop("plan", None)
        tools = {n: t for n, t in self.toolbox.specs.items() if planning.takes_text(t.parameters)}

        def runnable(output: Any) -> str | None:
            try:
                plan = planning.plan_from_model(output, agents, tools)
                planning.insist(plan, agents, tools, run.task.input)
            except PlanError as error:
                return str(error)
            return None

        inputs = {
            "task": run.task.input.get("text") or json.dumps(run.task.input, ensure_ascii=False),
            "catalogue": planning.catalogue(agents, tools),
            "schema": planning.plan_schema(agents, tools),
        }
        policy = f"fixed:{self.settings.controller_model}"
        outcome = await self._asker.ask(run, "plan", "plan", inputs, policy=policy, extra=runnable)
        if outcome.status != "completed":
            raise PlanError(
                f"{self.settings.controller_model} could not plan this: {run.journal.steps[-1].error}",
                hint="Name the work: --workflow or --agent; or set a larger controller_model.",
            )
        return planning.plan_from_model(outcome.output, agents, tools)

    # --- the graph of subtasks -------------------------------------------------------------------------

    async def _execute(self, run: Run, plan: Plan) -> dict[str, Outcome]:
        """Start every subtask at once; each waits for those it needs."""
        outcomes: dict[str, Outcome] = {}
        ended = {step.id: asyncio.Event() for step in plan.subtasks}

        async def when_ready(step: Subtask) -> None:
            needed = planning.needs(step)
            for other in needed:
                await ended[other].wait()
            outcome = await self._subtask(run, step, {other: outcomes[other] for other in needed})
            outcomes[step.id] = outcome
            run.scope[step.id] = outcome.output
            ended[step.id].set()

        try:
            async with asyncio.TaskGroup() as group:
                for step in plan.subtasks:
                    group.create_task(when_ready(step))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        return outcomes

    async def _subtask(self, run: Run, step: Subtask, needed: Mapping[str, Outcome]) -> Outcome:
        blocking = [name for name, outcome in needed.items() if outcome.status in ("failed", "waiting")]
        if blocking:
            failed = any(needed[name].status == "failed" for name in blocking)
            reason = f"{', '.join(blocking)} did not complete"
            return await self._skip(run, step, reason, "failed" if failed else "waiting")
        if not planning.holds(step.when, run.scope):
            return await self._skip(run, step, f"`{step.when}` does not hold", "skipped")
        inputs = _given(planning.resolve(step.inputs, run.scope))
        if step.tool:
            outcome = await self._tools.use(run, step.id, step.tool, inputs)
        else:
            outcome = await self._asker.ask(run, step.id, step.agent or "", inputs)
        return Outcome("skipped") if step.optional and outcome.status == "failed" else outcome

    async def _skip(self, run: Run, step: Subtask, reason: str, leaves: StepStatus) -> Outcome:
        skipped = run.step(step.id, utc_now(), "skipped", agent=step.agent, tool=step.tool, error=reason)
        await run.journal.add_step(skipped)
        return Outcome(leaves)

    # --- errors of the user ----------------------------------------------------------------------------

    def _insist(self, task: Task) -> None:
        """Everything that the user could mend is found here, before the run exists."""
        routing.check_policy(task.route, self.workspace.cards)
        text = task.input.get("text")
        if not task.agent and isinstance(text, str) and not text.strip():
            raise InvalidInput(
                "There is nothing to do: the text is empty.", hint='Type it: lilliput run "…".'
            )
        if task.workflow:
            spec = self.workspace.workflow(task.workflow)
            entry = self.workspace.workflows[task.workflow]
            planning.check_workflow(entry, self._agent_specs(), self.toolbox.specs)
            planning.check_task_input(schema_problem(spec.input, task.input), task.workflow)
            always = (step.agent for step in spec.steps if step.agent and not (step.when or step.optional))
            routing.check_able(task.route, map(self.workspace.agent, always), self.workspace.cards)
        elif task.agent:
            self._asker.agent(task.agent).validate_input(task.input)
        elif not task.input:
            raise InvalidInput("There is nothing to do.", hint='Type it: lilliput run "…".')

    def _agent_specs(self) -> dict[str, AgentSpec]:
        return {name: entry.spec for name, entry in self.workspace.agents.items()}


@asynccontextmanager
async def open_controller(workspace: Workspace, settings: Settings) -> AsyncIterator[Controller]:
    """A controller with its store, pool and records; frees the models at the end."""
    workspace.insist()
    store = ModelStore(settings.cache_dir, workspace.cards, workspace.card_folders)
    records = Records(settings.state_dir / "runs.sqlite")
    pool = ModelPool(
        workspace.cards,
        store.folder,
        memory_budget_bytes=settings.memory_budget_bytes,
        threads=settings.threads,
        device=settings.device,
    )
    try:
        yield Controller(workspace, settings, store, pool, records, load_toolbox(workspace.tool_files))
    finally:
        await pool.close()
        records.close()


def _given(inputs: Json) -> Json:
    """An input that a skipped subtask would have given is null, and counts as not given."""
    return {key: value for key, value in inputs.items() if value is not None}
