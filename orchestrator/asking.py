"""Ask an agent: route, then climb the ladder of models until an answer passes its checks.

for model in the ladder:
    ask it, check the answer
    accept -> done;  retry -> tell it what was wrong and ask again;  escalate -> the next model
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

from orchestrator import checking, routing
from orchestrator.agent import Agent, Call, defining_hashes, load_agent
from orchestrator.errors import LilliputError, ModelError
from orchestrator.memo import VectorMemo
from orchestrator.meter import Meter, priced
from orchestrator.records import utc_now
from orchestrator.run import Outcome, Run
from orchestrator.runtimes.pool import Lease, ModelPool
from orchestrator.settings import Settings
from orchestrator.store import ModelStore
from orchestrator.types import Answer, Bar, Calibration, Check, Decision, Json, Route, Routed, Step, Usage
from orchestrator.workspace import Machine, Workspace

ExtraCheck = Callable[[Any], str | None]


class _Place(NamedTuple):
    """One call: for which subtask and agent, to which model, and where on the ladder that stands.

    `said`: what the models below answered.
    """

    subtask: str
    agent: Agent
    inputs: Json
    route: Route
    model: str | None
    attempt: int
    has_next: bool
    extra: ExtraCheck | None
    bar: Bar | None = None
    said: tuple[Step, ...] = ()


class _Reply(NamedTuple):
    """What came of a call: an answer or an error, and what it used. `stopped`: the run ends with it."""

    answer: Answer | None
    error: LilliputError | None
    usage: Usage
    stopped: bool = False


class Asker:
    """Gets an answer from a specialist. Shared by all runs of a controller."""

    def __init__(
        self,
        workspace: Workspace,
        settings: Settings,
        store: ModelStore,
        pool: ModelPool,
        meter: Meter,
        machine: Machine,
    ) -> None:
        self._workspace = workspace
        self._settings = settings
        self._store = store
        self._pool = pool
        self._meter = meter
        self._machine = machine
        self._memo = VectorMemo()
        self._agents: dict[str, Agent] = {}

    def agent(self, name: str) -> Agent:
        """The agent, loaded from its folder once. Raises UnknownName or ContentError."""
        if name not in self._agents:
            self._workspace.agent(name)
            self._agents[name] = load_agent(self._workspace.agents[name])
        return self._agents[name]

    async def ask(
        self,
        run: Run,
        subtask: str,
        name: str,
        inputs: Json,
        *,
        policy: str | None = None,
        extra: ExtraCheck | None = None,
    ) -> Outcome:
        """Answer a subtask. `extra` is one more check, which must hold before an answer is accepted."""
        agent, started = self.agent(name), utc_now()
        try:
            if (name, inputs) != (run.task.agent, run.task.input):  # those were looked at before the run
                agent.validate_input(inputs)
            need = _need(agent, inputs)
            calibrations = self._calibrations(agent, need.fixed)
            route = self._route(run, agent, need, policy or run.task.route, calibrations)
        except LilliputError as error:
            failed = run.step(subtask, started, "failed", agent=name, inputs=inputs, error=str(error))
            await run.journal.add_step(failed)
            return Outcome("failed")
        run.journal.post(Routed(run_id=run.journal.run_id, subtask=subtask, route=route))
        ladder = route.ladder or (None,)
        said: tuple[Step, ...] = ()
        for rung, model in enumerate(ladder, start=1):
            bar = _bar(calibrations.get(model or ""), route.policy)
            place = _Place(subtask, agent, inputs, route, model, 1, rung < len(ladder), extra, bar, said)
            step = await self._ask_one(run, place)
            if step.status == "completed":
                return Outcome("completed", step.output)
            said = (*said, step)
        return Outcome("failed")

    async def _ask_one(self, run: Run, place: _Place) -> Step:
        """Ask one model, and again with what was wrong for as long as the checks say `retry`."""
        feedback: tuple[str, str] | None = None
        for attempt in itertools.count(1):
            step = await self._attempt(run, place._replace(attempt=attempt), feedback)
            if step.decision is None or step.decision.action != "retry":
                return step
            feedback = (json.dumps(step.output, ensure_ascii=False), step.decision.reason)
        raise AssertionError("itertools.count does not end")

    async def _attempt(self, run: Run, place: _Place, feedback: tuple[str, str] | None) -> Step:
        """One call, from lease to recorded step."""
        run.spending.check()
        started = utc_now()
        past = run.past and run.past.answer(
            place.subtask, place.agent.spec.name, place.model, place.attempt, place.inputs
        )
        reply = _recalled(past) if past else await self._call(run, place, feedback)
        run.spending.add(reply.usage)
        decision = _decide(place, reply)
        accepted = decision.action == "accept"
        step = run.step(
            place.subtask,
            started,
            "completed" if accepted else "failed",
            attempt=place.attempt,
            agent=place.agent.spec.name,
            model=place.model,
            route=place.route,
            decision=decision,
            inputs=place.inputs,
            output=reply.answer.output if reply.answer else None,
            error=None if accepted else decision.reason,
            confidence=reply.answer.confidence if reply.answer else None,
            abstained=bool(reply.answer and reply.answer.abstained),
            taken_from=f"{past.run_id}/{past.index}" if past else None,
            usage=reply.usage,
        )
        recorded = await run.journal.add_step(step)
        if reply.stopped:
            raise asyncio.CancelledError
        return recorded

    async def _call(self, run: Run, place: _Place, feedback: tuple[str, str] | None) -> _Reply:
        """Whatever goes wrong in here is the model's or the agent's error, and is returned, not raised."""
        asked_s = time.perf_counter()
        try:
            async with self._pool.use(place.model) if place.model else nullcontext() as lease:
                queue_s = time.perf_counter() - asked_s - lease.load_s if lease else None
                return await self._answer(run, place, feedback, lease, queue_s)
        except LilliputError as error:
            return _Reply(None, error, Usage())

    async def _answer(
        self,
        run: Run,
        place: _Place,
        feedback: tuple[str, str] | None,
        lease: Lease | None,
        queue_s: float | None,
    ) -> _Reply:
        spec, model = place.agent.spec, place.model
        answer: Answer | None = None
        error: LilliputError | None = None
        stopped = False
        call = Call(
            spec,
            lease.session if lease else None,
            memo=self._memo,
            feedback=feedback,
            on_text=lambda text: run.journal.progress(place.subtask, model or "", text),
            max_tokens=run.spending.tokens_left,
            roots=self._workspace.roots,
            cache_salt=run.task.cache_salt,
        )
        with self._meter.span() as span:
            try:
                answer = await place.agent.answer(place.inputs, call)
            except LilliputError as problem:
                error = problem
            except asyncio.CancelledError:
                # Out of time, or nobody listens any more: what was spent so far is charged all the same.
                error, stopped = ModelError("stopped before it had answered"), True
            except Exception as bug:
                error = ModelError(f"agent {spec.name!r} failed: {type(bug).__name__}: {bug}")
        load_s = lease.load_s if lease else None
        times = {"duration_s": span.wall_s, "load_s": load_s, "queue_s": queue_s}
        remote = self._workspace.card(model).remote if model else None
        usage = priced(call.usage.model_copy(update=times), span.drawn, self._machine, remote)
        return _Reply(answer, error, usage, stopped)

    def _calibrations(self, agent: Agent, fixed: Mapping[str, str]) -> dict[str, Calibration]:
        """By model: those that hold for this agent as it is and for inputs with these hashes."""
        return {
            found.model: found
            for found in self._workspace.calibrations(agent.spec.name)
            if found.model in self._workspace.cards
            and found.holds_for(agent.content_hash, found.model, self._store.key(found.model), fixed)
        }

    def _route(
        self, run: Run, agent: Agent, need: routing.Need, policy: str, calibrations: Mapping[str, Calibration]
    ) -> Route:
        cards, spec = self._workspace.cards, agent.spec
        evidence = {name: self._workspace.evidence(name) for name in cards}
        able = [name for name, card in cards.items() if routing.unable(card, need) is None]
        here = routing.Surroundings(
            installed=frozenset(name for name in able if self._store.state(name) == "installed"),
            memory_budget_bytes=self._settings.memory_budget_bytes,
            spendable_usd=run.spending.usd_left,
            proven={
                **routing.proven(spec.name, agent.content_hash, evidence, self._store.key),
                **routing.promoted(cards),
            },
            calibrated=frozenset(calibrations),
        )
        return routing.route(policy, need, cards.values(), here)


def _need(agent: Agent, inputs: Json) -> routing.Need:
    spec, learns, language = agent.spec, agent.spec.learns, inputs.get("language")
    generates = "generate" in spec.needs
    return routing.Need(
        agent=spec.name,
        capabilities=spec.needs,
        prompt_tokens=_estimated_tokens(agent, inputs) if generates else 0,
        max_tokens=spec.max_tokens if generates else 0,
        language=language if isinstance(language, str) else None,
        models=spec.models,
        fixed=defining_hashes(learns, inputs) if learns else {},
        kinds=learns.kinds_in(inputs) if learns else frozenset(),
    )


def _bar(found: Calibration | None, policy: str) -> Bar | None:
    """From which confidence on a calibrated model is accepted under this policy; None for another model."""
    if found is None:
        return None
    share = routing.budgeted(policy)
    spent = None if share is None else found.within(share)
    if spent is None:
        return found.guarantee.bar
    return Bar(threshold=spent.threshold, why=f"as {100 * spent.share:g} % of its answers were")


def _recalled(step: Step) -> _Reply:
    """What the model answered then, at what it cost then."""
    if step.output is None and not step.abstained:
        return _Reply(None, ModelError(step.error or "there was no answer"), step.usage)
    answer = Answer(output=step.output, confidence=step.confidence, abstained=step.abstained)
    return _Reply(answer, None, step.usage)


def _decide(place: _Place, reply: _Reply) -> Decision:
    spec, attempt, has_next = place.agent.spec, place.attempt, place.has_next
    if reply.stopped:
        return Decision(action="fail", reason=str(reply.error))
    if reply.answer is None:
        error = reply.error or ModelError("there was no answer")
        return checking.decide_on_error(spec, error, attempt=attempt, has_next=has_next)
    checks = place.agent.check(place.inputs, reply.answer)
    if place.extra and all(check.passed for check in checks):
        reason = place.extra(reply.answer.output)
        checks = (*checks, Check(name="runnable", passed=reason is None, reason=reason))
    doubts = _doubts(place, reply.answer)
    return checking.decide(
        spec, reply.answer, checks, attempt=attempt, has_next=has_next, bar=place.bar, doubts=doubts
    )


def _doubts(place: _Place, answer: Answer) -> tuple[Check, ...]:
    """Where one model alone can answer there is nobody to agree with, and its confidence counts."""
    if len(place.route.ladder) < 2 or not routing.asks_agreement(place.route.policy):
        return ()
    return (routing.agreement(place.said, answer.output, place.agent.spec.learns),)


def _estimated_tokens(agent: Agent, inputs: Json) -> int:
    """About three characters a token: on the safe side for English and Dutch; the runtime counts exactly."""
    prompt = f"{agent.spec.system or ''}{agent.spec.user or ''}"
    return (len(prompt) + len(json.dumps(inputs, ensure_ascii=False))) // 3
