"""S1: which logged answers of an agent may be learnt from. Opt-in by agent, and for as long as was allowed.

Only places are kept (`RUN/STEP`), no texts: what is written to learn from goes through `scrub.py` first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from orchestrator.errors import UserError
from orchestrator.learning.project import Collected, LogSource, Project
from orchestrator.learning.retention import Allowed, oldest_allowed
from orchestrator.records import Records, utc_now
from orchestrator.store.files import hash_of
from orchestrator.types import AgentSpec, Json, Learns, Step


def collect(
    name: str, spec: AgentSpec, source: LogSource, records: Records, allowed: Mapping[str, Allowed]
) -> Project:
    """The answers that were given with the most usual values of the inputs that define the task.

    Raises UserError where the agent cannot be learnt, was not opened for learning, or has no answers.
    """
    learns = need_learns(spec)
    steps = list(_steps(spec.name, source, records, allowed))
    if not steps:
        raise UserError(
            f"The records hold no answers of agent {spec.name!r} that may be used.",
            hint="`lilliput runs list` shows what there is; --file learns from a table instead.",
        )
    fixed = _most_usual(steps, learns)
    chosen, left_out = [], Counter[str]()
    for step in steps:
        reason = _unusable(step, learns, fixed)
        if reason:
            left_out[reason] += 1
        else:
            chosen.append(f"{step.run_id}/{step.index}")
    collected = Collected(places=tuple(chosen), left_out=dict(left_out), collected_at=utc_now())
    return Project(name=name, agent=spec.name, fixed=fixed, source=source, collected=collected)


def need_learns(spec: AgentSpec) -> Learns:
    """Raises UserError for an agent that does not say how it is learnt."""
    if spec.learns is None:
        raise UserError(
            f"Agent {spec.name!r} does not say what a specialist for it would learn.",
            hint=f"Add `learns:` to agents/{spec.name}/agent.md; docs/learning.md tells how.",
        )
    return spec.learns


def _steps(agent: str, source: LogSource, records: Records, allowed: Mapping[str, Allowed]) -> Iterator[Step]:
    if agent not in allowed:
        raise UserError(
            f"Logged work of agent {agent!r} may not be learnt from.",
            hint=f"To allow it, type: lilliput learn allow {agent} --days 90",
        )
    since = max(source.since, oldest_allowed(agent, allowed))
    yield from records.steps_of(agent, since=since, until=source.until, workflow=source.workflow)


def _most_usual(steps: list[Step], learns: Learns) -> Json:
    values = {hash_of(_fixed(step, learns)): _fixed(step, learns) for step in steps}
    counts = Counter(hash_of(_fixed(step, learns)) for step in steps)
    return values[counts.most_common(1)[0][0]]


def _fixed(step: Step, learns: Learns) -> Json:
    return {name: step.inputs.get(name) for name in learns.fixed}


def _unusable(step: Step, learns: Learns, fixed: Json) -> str | None:
    if _fixed(step, learns) != fixed:
        return f"other {', '.join(learns.fixed)}"
    if step.status != "completed":
        return "its checks did not hold"
    if step.doubt:
        return "it was taken in doubt"
    if not str(step.inputs.get(learns.text) or "").strip():
        return "its text is empty"
    return None
