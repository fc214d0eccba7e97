"""The nouns that cross a module boundary, as frozen pydantic models.

No logic lives here beyond validation and addition. `None` always means "not known"; 0 means a measured
zero. Units live in names (`_s`, `_j`, `_bytes`, `_usd`, `_tokens`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Json = dict[str, Any]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]
Source = Literal["measured", "modelled", "declared"]
RuntimeName = Literal["encoder", "genai", "torch", "remote", "fasttext", "scripted"]
Capability = Literal["generate", "json-schema", "logprobs", "embed", "detect-language"]
Device = Literal["cpu", "cuda", "auto"]
Precision = Literal["float32", "bfloat16", "float16", "int8", "int4", "native"]
_PART = re.compile(r"^(pypi:[A-Za-z0-9._-]+==[^/]+/.+|hf:[^/@]+/[^/@]+@[^/]+/.+|file:.+)$")


class Record(BaseModel):
    """A frozen value. Unknown fields are errors, so that a typo in YAML never passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


# --- models ---------------------------------------------------------------------------------------------


class Measurement(Record):
    """One figure about a model, with its unit, where it came from and on which machine."""

    metric: str
    value: float
    unit: str
    source: Source
    machine: str | None = None
    n: int | None = None
    note: str | None = None


class ModelFile(Record):
    """One file of a model before conversion, assembled from parts in order and verified by sha256.

    A part is `pypi:NAME==VERSION/path/inside/the/wheel`, `hf:owner/repo@revision/path` or
    `file:/absolute/path` (`file:relative` starts at the card's folder).
    """

    name: str
    parts: tuple[str, ...] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(gt=0)

    @field_validator("name")
    @classmethod
    def _stay_inside_the_model_folder(cls, value: str) -> str:
        if value.startswith("/") or "\\" in value or ".." in value.split("/"):
            raise ValueError(f"{value!r} must be a relative path without '..'")
        return value

    @field_validator("parts")
    @classmethod
    def _known_source(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            if not _PART.match(part):
                raise ValueError(
                    f"{part!r} is no source; "
                    "write pypi:NAME==VERSION/path, hf:owner/repo@revision/path or file:path"
                )
        return value


class Conversion(Record):
    """How published weights become what a runtime loads. `recipe: none` uses the files as they are."""

    recipe: Literal["none", "gguf-to-genai", "hf-to-genai", "encoder-to-onnx"] = "none"
    precision: Precision = "native"
    options: dict[str, str | int | bool] = {}
    peak_memory_bytes: int | None = None
    disk_bytes: int | None = None


class RemoteEndpoint(Record):
    """An OpenAI-compatible server. The key is read from the environment, never from a file."""

    base_url: str
    model: str
    api_key_env: str | None = None
    usd_per_million_input_tokens: float | None = None
    usd_per_million_output_tokens: float | None = None
    timeout_s: float = 120.0


class ModelCard(Record):
    """One usable model: where it comes from, what it needs, what it can do, and what was measured.

    `role`: `crew` does the work, `reference` is the larger one it is judged against, and a `twin` is the
    same model at another precision, used only when it is asked for by name.
    """

    name: Name
    description: str
    licence: str
    origin: str
    runtime: RuntimeName
    role: Literal["crew", "reference", "twin"] = "crew"
    capabilities: frozenset[Capability]
    languages: tuple[str, ...] = ()
    parameters: int | None = None
    context_tokens: int | None = None
    memory_bytes: int | None = None
    precision: Precision = "native"
    device: Device = "auto"
    files: tuple[ModelFile, ...] = ()
    conversion: Conversion = Conversion()
    remote: RemoteEndpoint | None = None
    options: dict[str, str | int | float | bool] = {}
    measured: tuple[Measurement, ...] = ()
    notes: str = ""

    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if self.runtime == "remote" and self.remote is None:
            raise ValueError("a remote model needs `remote:` with base_url and model")
        if self.runtime in ("encoder", "genai", "torch", "fasttext") and not self.files:
            raise ValueError(f"a {self.runtime} model needs `files:` with at least one source")
        return self

    @property
    def download_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


# --- calls to a model -----------------------------------------------------------------------------------


class Message(Record):
    role: Literal["system", "user", "assistant"]
    content: str


class GenerateRequest(Record):
    """One generation. Greedy unless `temperature` > 0. `json_schema` constrains the output to that schema."""

    messages: tuple[Message, ...] = Field(min_length=1)
    json_schema: Json | None = None
    max_tokens: int = Field(default=256, gt=0)
    stop: tuple[str, ...] = ()
    temperature: float = Field(default=0.0, ge=0.0)
    seed: int = 0
    logprobs: bool = False


class Generation(Record):
    """What came back. `finish`: 'stop' is complete; 'length' ran out of tokens; 'cancelled' was stopped.

    `logprobs` are natural-log probabilities of the chosen tokens, one each, under the unmasked model
    distribution; None when they were not asked for or the runtime cannot tell.
    """

    text: str
    finish: Literal["stop", "length", "cancelled"]
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None = None
    ttft_s: float | None = None
    duration_s: float
    logprobs: tuple[float, ...] | None = None


class Usage(Record):
    """What a call, a step or a run used. Adding keeps None only where both sides do not know."""

    calls: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    duration_s: float | None = None
    ttft_s: float | None = None
    load_s: float | None = None
    cpu_s: float | None = None
    energy_j: float | None = None
    energy_source: Source | None = None
    cost_usd: float | None = None

    def __add__(self, other: Usage) -> Usage:
        if self.energy_source and other.energy_source and self.energy_source != other.energy_source:
            raise ValueError(f"cannot add {self.energy_source} to {other.energy_source} joules")
        both = {name: _plus(getattr(self, name), getattr(other, name)) for name in _ADDITIVE}
        return Usage(
            calls=self.calls + other.calls,
            ttft_s=self.ttft_s if self.ttft_s is not None else other.ttft_s,
            energy_source=self.energy_source or other.energy_source,
            **both,
        )


_ADDITIVE = (
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "duration_s",
    "load_s",
    "cpu_s",
    "energy_j",
    "cost_usd",
)


def _plus(left: float | None, right: float | None) -> Any:
    if left is None or right is None:
        return left if right is None else right
    return left + right


# --- agents, tools, plans -------------------------------------------------------------------------------


class AgentSpec(Record):
    """One specialist for one kind of subtask, as its `agent.md` declares it.

    `needs` empty means that exact code answers and no model is routed. `output` is a JSON schema;
    `output_from` names an input that holds the schema instead (as in extract-fields).
    """

    name: Name
    description: str
    needs: frozenset[Capability] = frozenset()
    input: Json
    output: Json | None = None
    output_from: str | None = None
    system: str | None = None
    user: str | None = None
    max_tokens: int = Field(default=256, gt=0)
    retries: int = Field(default=1, ge=0, le=5)
    min_confidence: float | None = None
    models: tuple[Name, ...] = ()
    untrusted_inputs: tuple[str, ...] = ()
    options: dict[str, Any] = {}


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
    """What somebody wants done: a workflow, one agent, or (neither given) a plan that a model writes."""

    input: Json
    workflow: str | None = None
    agent: str | None = None
    route: str = "cascade"
    budget: Budget = Budget()

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.workflow and self.agent:
            raise ValueError("name a workflow or an agent, not both")
        return self


# --- decisions ------------------------------------------------------------------------------------------


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
    """One model or tool call, as it is recorded. Never changed once written."""

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
    usage: Usage = Usage()
    started_at: str
    finished_at: str


class RunResult(Record):
    """The end of a run: its answer and its totals."""

    run_id: str
    status: Status
    answer: Any = None
    error: str | None = None
    usage: Usage = Usage()
    usage_by_model: Mapping[str, Usage] = {}
    idle_energy_j: float | None = None


# --- events ---------------------------------------------------------------------------------------------


class RunStarted(Record):
    kind: Literal["run_started"] = "run_started"
    run_id: str
    task: Task


class Planned(Record):
    kind: Literal["planned"] = "planned"
    run_id: str
    plan: Plan


class Routed(Record):
    kind: Literal["routed"] = "routed"
    run_id: str
    subtask: str
    route: Route


class Progress(Record):
    """A piece of text that a model is writing now. Never recorded."""

    kind: Literal["progress"] = "progress"
    run_id: str
    subtask: str
    model: str
    text: str


class StepDone(Record):
    kind: Literal["step_done"] = "step_done"
    run_id: str
    step: Step


class ApprovalAsked(Record):
    """A write waits for a person. `call` is exactly what will run."""

    kind: Literal["approval_asked"] = "approval_asked"
    run_id: str
    subtask: str
    tool: str
    arguments: Json


class ApprovalGiven(Record):
    kind: Literal["approval_given"] = "approval_given"
    run_id: str
    subtask: str
    approved: bool
    by: str


class RunDone(Record):
    kind: Literal["run_done"] = "run_done"
    run_id: str
    result: RunResult


Event = Annotated[
    RunStarted | Planned | Routed | Progress | StepDone | ApprovalAsked | ApprovalGiven | RunDone,
    Field(discriminator="kind"),
]
