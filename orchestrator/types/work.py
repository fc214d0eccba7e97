"""Agents, tools, plans, tasks, and what was decided and recorded about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from orchestrator.types.base import Capabilities, Json, Name, Record
from orchestrator.types.learning import Learns
from orchestrator.types.models import Usage


class AgentSpec(Record):
    """One specialist for one kind of subtask, as its `agent.md` declares it.

    `needs` empty means that exact code answers and no model is routed. `output` is a JSON schema;
    `output_from` names an input that holds the schema instead (as in extract-fields).
    `confidence`: what a generator's confidence in JSON is made of; see `agent.confidence_of`.
    """

    name: Name
    description: str
    needs: Capabilities = frozenset()
    input: Json
    output: Json | None = None
    output_from: str | None = None
    system: str | None = None
    user: str | None = None
    max_tokens: int = Field(default=256, gt=0)
    retries: int = Field(default=1, ge=0, le=5)
    min_confidence: float | None = None
    confidence: Literal["choices", "schema-slack"] = "choices"
    models: tuple[Name, ...] = ()
    untrusted_inputs: tuple[str, ...] = ()
    learns: Learns | None = None
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _slack_is_asked_for(self) -> Self:
        if self.confidence != "choices" and self.min_confidence is None:
            raise ValueError(f"`confidence: {self.confidence}` counts only beside `min_confidence`")
        return self


class Answer(Record):
    """What an agent answered. `confidence` in [0, 1] where the agent can tell, else None."""

    output: Any
    abstained: bool = False
    confidence: float | None = None
    reason: str | None = None


class ToolSpec(Record):
    """A typed function that an agent or a plan may call. A `write` needs approval."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$", max_length=120)
    description: str
    parameters: Json
    effect: Literal["read", "write"] = "read"
    timeout_s: float = 10.0


class Subtask(Record):
    """One node of a plan: an agent or a tool. Values under `with` may hold `${id.path}` references."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)
    agent: str | None = None
    tool: str | None = None
    inputs: Json = Field(default={}, alias="with")
    when: str | None = None
    after: tuple[str, ...] = ()
    optional: bool = False

    model_config = ConfigDict(populate_by_name=True)

    @model_validator(mode="after")
    def _one_of_agent_and_tool(self) -> Self:
        if (self.agent is None) == (self.tool is None):
            raise ValueError(f"subtask {self.id!r} needs exactly one of `agent` and `tool`")
        return self


class Plan(Record):
    """A validated acyclic graph of subtasks; `answer` is a template over their outputs."""

    subtasks: tuple[Subtask, ...] = Field(min_length=1)
    answer: Any = None
    planner: str = "workflow"


class WorkflowSpec(Record):
    """A declared plan with its inputs, as one file under `configs/workflows/`."""

    name: Name
    description: str
    input: Json
    values: Json = {}
    steps: tuple[Subtask, ...] = Field(min_length=1)
    answer: Any = None
    examples: tuple[Json, ...] = ()


class Budget(Record):
    """Limits of a run. None: no limit."""

    time_s: float | None = None
    tokens: int | None = None
    steps: int | None = 64
    cost_usd: float | None = None


class Task(Record):
    """What somebody wants done: a workflow, one agent, or (neither given) a plan that a model writes.

    Tasks of one `cache_salt` share what models have read; see `GenerateRequest`.
    """

    input: Json
    workflow: str | None = None
    agent: str | None = None
    route: str = "cascade"
    budget: Budget = Budget()
    cache_salt: str = ""

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.workflow and self.agent:
            raise ValueError("name a workflow or an agent, not both")
        return self


class Rejected(Record):
    model: str
    reason: str


class Route(Record):
    """Which model answers a subtask and why. `ladder` is the order in which models will be tried."""

    policy: str
    model: str | None
    reason: str
    ladder: tuple[str, ...] = ()
    rejected: tuple[Rejected, ...] = ()


class Check(Record):
    """The result of one check on an answer; `reason` says what failed."""

    name: str
    passed: bool
    reason: str | None = None


class Decision(Record):
    """What the checks decided: accept, retry with the same model, escalate to the next, or fail."""

    action: Literal["accept", "retry", "escalate", "fail"]
    reason: str
    checks: tuple[Check, ...] = ()


Status = Literal["submitted", "working", "input-required", "completed", "failed", "canceled"]
StepStatus = Literal["completed", "failed", "skipped", "denied", "waiting"]


class Step(Record):
    """One model or tool call, as it is recorded. Never changed once written.

    `taken_from`: the step (`RUN/INDEX`) whose answer a replay took instead of asking again.
    """

    run_id: str
    index: int
    subtask: str
    attempt: int = 1
    agent: str | None = None
    tool: str | None = None
    model: str | None = None
    status: StepStatus
    route: Route | None = None
    decision: Decision | None = None
    inputs: Json = {}
    output: Any = None
    error: str | None = None
    confidence: float | None = None
    abstained: bool = False
    taken_from: str | None = None
    usage: Usage = Usage()
    started_at: str
    finished_at: str

    @property
    def doubt(self) -> str | None:
        """Why an accepted answer is not sure: a check did not hold, and nobody was left to ask."""
        decision = self.decision
        if decision is None or decision.action != "accept" or all(check.passed for check in decision.checks):
            return None
        return decision.reason


class RunResult(Record):
    """The end of a run: its answer and its totals.

    `refused` is what a failed run would have answered, had its checks let the last output pass.
    `confidence` is that of the least sure step that was accepted. `idle_energy_j`: as if the run had had the
    machine to itself.
    """

    run_id: str
    status: Status
    answer: Any = None
    refused: Any = None
    error: str | None = None
    confidence: float | None = None
    usage: Usage = Usage()
    usage_by_model: Mapping[str, Usage] = {}
    idle_energy_j: float | None = None
