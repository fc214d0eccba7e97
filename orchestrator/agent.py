"""Agent + subtask -> request -> parsed answer.

An agent answers in one of two ways. With a prompt in its `agent.md`, the model is asked once and its
output is constrained to the agent's output schema. With an `answer.py` beside it, that file decides:

    async def answer(inputs: dict[str, Any], call: Call) -> Answer: ...

`Call` is all that such a function may use: the one session that the route chose, and nothing else. An
optional `checks.py` holds functions `check_<name>(inputs, output) -> str | None`; a string says what fails.
Choosing the model, retrying and escalating are the controller's work, not done here.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import jsonschema
import numpy as np
import referencing
import referencing.exceptions
from jinja2.sandbox import SandboxedEnvironment
from numpy.typing import NDArray

from orchestrator.errors import ContentError, InvalidInput, ModelError, Truncated
from orchestrator.memo import VectorMemo
from orchestrator.runtimes.base import (
    Classified,
    Classifier,
    Embedder,
    Embeddings,
    Generator,
    Language,
    LanguageDetector,
    OnText,
    PairScorer,
    PairScores,
    Session,
    Tagged,
    TaggedTexts,
    Tagger,
)
from orchestrator.store.files import folder_hash, hash_of
from orchestrator.tools import load_module
from orchestrator.types import (
    AgentSpec,
    Answer,
    Check,
    GenerateRequest,
    Generation,
    Json,
    Learns,
    Message,
    Usage,
)
from orchestrator.workspace import Entry

AnswerFunction = Callable[[dict[str, Any], "Call"], Awaitable[Answer]]
CheckFunction = Callable[[Mapping[str, Any], Any], str | None]

_TEMPLATES = SandboxedEnvironment(
    undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=False
)
_TEMPLATES.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)


class Call:
    """What an agent may use while it answers one subtask, and what that has used so far."""

    def __init__(
        self,
        spec: AgentSpec,
        session: Session | None,
        *,
        memo: VectorMemo | None = None,
        feedback: tuple[str, str] | None = None,
        on_text: OnText | None = None,
        max_tokens: int | None = None,
        roots: tuple[Path, ...] = (),
        cache_salt: str = "",
    ) -> None:
        self.spec = spec
        self.roots = roots
        self.feedback = feedback
        self.usage = Usage()
        self._session = session
        self._memo = memo or VectorMemo()
        self._on_text = on_text
        self._max_tokens = min(max_tokens or spec.max_tokens, spec.max_tokens)
        self._cache_salt = cache_salt

    async def generate(
        self,
        messages: Sequence[Message],
        json_schema: Json | None = None,
        *,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Generation:
        """Ask the model once. `feedback` of an earlier failed attempt is appended to the conversation.

        Raises Truncated when the token budget ended first, ModelError when the model failed.
        """
        session: Generator = self._need(Generator)
        request = GenerateRequest(
            messages=(*messages, *self._feedback_messages()),
            json_schema=json_schema,
            max_tokens=min(max_tokens or self._max_tokens, self._max_tokens),
            logprobs=self.spec.min_confidence is not None and "logprobs" in session.card.capabilities,
            cache_salt=self._cache_salt,
            temperature=temperature,
            seed=seed,
        )
        reply = await session.generate(request, self._on_text)
        self.usage += _usage_of(reply)
        _insist_on_text(reply.text)
        if reply.finish == "length":
            raise Truncated(f"{session.card.name} used all {request.max_tokens} tokens before it was done.")
        return reply

    async def generate_json(
        self,
        messages: Sequence[Message],
        json_schema: Json,
        *,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> tuple[Any, float | None]:
        """Ask for JSON that fits the schema: the value, and the model's confidence where it can tell."""
        reply = await self.generate(
            messages, json_schema, max_tokens=max_tokens, temperature=temperature, seed=seed
        )
        try:
            value = json.loads(reply.text)
        except json.JSONDecodeError as error:
            raise ModelError(f"the answer is not JSON: {error}: {reply.text[:200]!r}") from None
        # JSON may escape half of a surrogate pair, which no file and no database takes.
        _insist_on_text(json.dumps(value, ensure_ascii=False))
        return value, confidence_of(reply, self.spec.confidence)

    async def embed(self, texts: Sequence[str], *, keep: bool = False) -> NDArray[np.float32]:
        """Unit vectors, shape (texts, dimensions). `keep` remembers them for later calls."""
        session: Embedder = self._need(Embedder)
        name, wanted = session.card.name, tuple(texts)
        if keep and (stacked := self._memo.stack(name, wanted)) is not None:
            return stacked
        vectors = self._memo.known(name, texts) if keep else {}
        missing = [text for text in dict.fromkeys(texts) if text not in vectors]
        if missing:
            made = await session.embed(missing)
            self._count(made)
            vectors.update(zip(missing, made.vectors, strict=True))
        stacked = np.stack([vectors[text] for text in wanted])
        if keep:
            self._memo.put(name, vectors)
            self._memo.put_stack(name, wanted, stacked)
        return stacked

    def offers(self, protocol: type[Any]) -> bool:
        """Whether the route chose such a session: a specialist where there is one, else what `needs` says."""
        return isinstance(self._session, protocol)

    async def classify(self, text: str) -> dict[str | None, float]:
        """The probability of each label that the specialist knows; None: that no label fits."""
        session: Classifier = self._need(Classifier)
        made = await session.classify([text])
        self._count(made)
        return dict(zip(session.labels, made.probabilities[0].tolist(), strict=True))

    async def tag(self, text: str, kinds: Collection[str]) -> tuple[tuple[Tagged, ...], float]:
        """Parts of these kinds, and the probability of the least sure choice about any word of the text."""
        session: Tagger = self._need(Tagger)
        made = await session.tag([text], kinds)
        self._count(made)
        return made.parts[0], made.least_sure[0]

    async def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """How well the second text of each pair fits the first, in [0, 1]; shape (pairs,)."""
        session: PairScorer = self._need(PairScorer)
        made = await session.score_pairs(pairs)
        self._count(made)
        return made.scores

    async def detect_language(self, text: str) -> Language:
        session: LanguageDetector = self._need(LanguageDetector)
        detected = await session.detect([text])
        self.usage += Usage(calls=1)
        return detected[0]

    def find_folder(self, name: str) -> Path:
        """A folder named by an input: absolute, or relative to a workspace (the user's own comes first)."""
        places = [root / name for root in reversed(self.roots)] if self.roots else [Path(name)]
        found = next((place for place in places if place.is_dir()), None)
        if found is None:
            looked = ", ".join(str(place) for place in places)
            raise InvalidInput(f"Folder {name!r} is not there.", hint=f"Looked for {looked}.")
        return found

    def _count(self, made: Embeddings | Classified | TaggedTexts | PairScores) -> None:
        self.usage += Usage(calls=1, prompt_tokens=made.prompt_tokens, duration_s=made.duration_s)

    def _need(self, protocol: type[Any]) -> Any:
        if not isinstance(self._session, protocol):
            have = self._session.card.name if self._session else "no model"
            hint = f"Add the capability under `needs:` in agents/{self.spec.name}/agent.md."
            raise InvalidInput(
                f"agent {self.spec.name!r} wants a {protocol.__name__} but got {have}.", hint=hint
            )
        return self._session

    def _feedback_messages(self) -> tuple[Message, ...]:
        if self.feedback is None:
            return ()
        answer, reason = self.feedback
        return (
            Message(role="assistant", content=answer),
            Message(role="user", content=f"That answer was refused: {reason}. Answer again, and mend that."),
        )


class Agent:
    """A specialist that was loaded from its folder; `content_hash` is the sha256 of what lay there."""

    def __init__(
        self, spec: AgentSpec, answer: AnswerFunction, checks: Mapping[str, CheckFunction], content_hash: str
    ) -> None:
        self.spec = spec
        self.content_hash = content_hash
        self._answer = answer
        self._checks = checks

    async def answer(self, inputs: Json, call: Call) -> Answer:
        return await self._answer(inputs, call)

    def validate_input(self, inputs: Json) -> None:
        """Raises InvalidInput with the field and what is allowed."""
        if problem := schema_problem(self.spec.input, inputs):
            hint = f"`lilliput agents show {self.spec.name}` lists its inputs."
            raise InvalidInput(f"Input of agent {self.spec.name!r}: {problem}.", hint=hint)

    def check(self, inputs: Json, answer: Answer) -> tuple[Check, ...]:
        """The output schema first; the agent's own checks only on an output that fits it."""
        problem = schema_problem(self.output_schema(inputs), answer.output)
        schema = Check(name="schema", passed=problem is None, reason=problem)
        if problem or answer.abstained:
            return (schema,)
        return (schema, *(_run_check(name, check, inputs, answer) for name, check in self._checks.items()))

    def output_schema(self, inputs: Json) -> Json:
        return output_schema(self.spec, inputs)


def load_agent(entry: Entry) -> Agent:
    """Build the agent from its folder. Raises ContentError when its Python does not fit."""
    answer_file, check_file = entry.folder / "answer.py", entry.folder / "checks.py"
    answer = _answer_function(answer_file) if answer_file.is_file() else _answer_from_prompt
    checks = _check_functions(check_file) if check_file.is_file() else {}
    return Agent(entry.spec, answer, checks, folder_hash(entry.folder))


def output_schema(spec: AgentSpec, inputs: Mapping[str, Any]) -> Json:
    """The schema that this call's output must fit: the agent's own, or the one in the named input."""
    schema: Json = inputs[spec.output_from] if spec.output_from else (spec.output or {})
    return schema


def defining_hashes(learns: Learns, inputs: Mapping[str, Any]) -> dict[str, str]:
    """What stands for each input that defines the task, to be held against `Specialism.fixed`.

    Choices are a set: the same labels in another order are the same task.
    """
    values = {name: inputs.get(name) for name in learns.fixed}
    if isinstance(choices := values.get(learns.choices or ""), list):
        values[str(learns.choices)] = sorted(choices, key=json.dumps)
    return {name: hash_of(value) for name, value in values.items()}


def messages_of(spec: AgentSpec, inputs: Mapping[str, Any]) -> list[Message]:
    """Render the prompt of an agent. Raises InvalidInput when it uses an input that is not there."""
    try:
        texts = [(role, getattr(spec, role)) for role in ("system", "user")]
        optional = dict.fromkeys(spec.input.get("properties", {}))
        values = {**optional, **inputs}
        return [
            Message(role=role, content=_TEMPLATES.from_string(text).render(values))
            for role, text in texts
            if text
        ]
    except jinja2.TemplateError as error:
        raise InvalidInput(f"The prompt of agent {spec.name!r} cannot be filled in: {error}.") from error


def confidence_of(reply: Generation, by: str = "choices") -> float | None:
    """A geometric mean of probabilities, in [0, 1]; None where not known.

    `choices`: of what the model chose. Under a schema only the tokens that it left open count: the form says
    nothing about the content. Where it left nothing open there was nothing to be unsure of.

    `schema-slack`: of what the schema allowed, for each token, when the model would have written freely. A
    model that must be held to the form all the way has not understood what is asked.
    """
    if by == "schema-slack":
        return _slack(reply)
    chosen = reply.choice_logprobs if reply.choice_logprobs is not None else reply.logprobs
    if chosen is None:
        return None
    return math.exp(sum(chosen) / len(chosen)) if chosen else 1.0


def _slack(reply: Generation) -> float | None:
    if reply.logprobs is None or reply.choice_logprobs is None:
        return None
    # log p(token) = log p(what is allowed) + log p(token | what is allowed); of a forced token the last is 0.
    allowed = sum(reply.logprobs) - sum(reply.choice_logprobs)
    return math.exp(min(0.0, allowed) / len(reply.logprobs)) if reply.logprobs else 1.0


def _insist_on_text(reply: str) -> None:
    """Raises ModelError for text that cannot be written down."""
    try:
        reply.encode()
    except UnicodeEncodeError:
        raise ModelError("the answer holds half of a character (a lone surrogate)") from None


def schema_problem(schema: Json, value: Any) -> str | None:
    """The first violation, as a sentence, or None. A schema that cannot be applied is a violation too."""
    # An empty registry: a `$ref` to an address must never be fetched.
    validator = jsonschema.Draft202012Validator(schema, registry=referencing.Registry())
    try:
        error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    except referencing.exceptions.Unresolvable as unresolved:
        return f"the schema refers to {unresolved.ref!r}, which is not in it"
    if error is None:
        return None
    where = ".".join(str(part) for part in error.absolute_path)
    return f"{where}: {error.message}" if where else str(error.message)


async def _answer_from_prompt(inputs: dict[str, Any], call: Call) -> Answer:
    messages = messages_of(call.spec, inputs)
    value, confidence = await call.generate_json(messages, output_schema(call.spec, inputs))
    return Answer(output=value, confidence=confidence)


def _answer_function(file: Path) -> AnswerFunction:
    function = getattr(load_module(file), "answer", None)
    if not inspect.iscoroutinefunction(function):
        raise ContentError("needs `async def answer(inputs, call)`", file=file, line=1)
    return function


def _check_functions(file: Path) -> dict[str, CheckFunction]:
    module = load_module(file)
    found = {
        name.removeprefix("check_"): value
        for name, value in vars(module).items()
        if name.startswith("check_") and callable(value)
    }
    if not found:
        raise ContentError("no function here is called check_<name>", file=file, line=1)
    return found


def _run_check(name: str, check: CheckFunction, inputs: Json, answer: Answer) -> Check:
    try:
        reason = check(inputs, answer.output)
    except Exception as error:
        reason = f"the check itself failed: {type(error).__name__}: {error}"
    return Check(name=name, passed=reason is None, reason=reason)


def _usage_of(reply: Generation) -> Usage:
    return Usage(
        calls=1,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        cached_tokens=reply.cached_tokens,
        ttft_s=reply.ttft_s,
        decode_s=None if reply.ttft_s is None else reply.duration_s - reply.ttft_s,
        duration_s=reply.duration_s,
    )
