"""A deterministic fake that is a generator, an embedder and a language detector at once, for tests and docs.

What it answers, first that applies: what was given to the constructor (a list, used one after the other; a
mapping from a part of the last message to an answer; a function of the request), the card's option `reply`,
the smallest value that fits the request's schema, the last message itself. More options of the card:
`fail` (raise ModelError with this text), `delay_s` (be slow), `truncate` (lose the second half of the
answer), `dimensions` of the embeddings, `language` that is detected.

It counts words for tokens. No figure in a report may come from it.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import ModelError
from orchestrator.runtimes.base import Embeddings, Language, LoadOptions, OnText
from orchestrator.runtimes.text import TextOut
from orchestrator.types import GenerateRequest, Generation, Json, ModelCard

Answers = Sequence[str] | Mapping[str, str] | Callable[[GenerateRequest], str]


def load(card: ModelCard, options: LoadOptions) -> ScriptedSession:
    """Nothing to load; the signature of every runtime."""
    return ScriptedSession(card)


class ScriptedSession:
    """Answers what it was told to. `requests` keeps what it was asked."""

    def __init__(self, card: ModelCard, answers: Answers | None = None) -> None:
        self.card = card
        self.resident_bytes = card.memory_bytes or 0
        self.requests: list[GenerateRequest] = []
        self.closed = False
        self._answers = answers
        self._turn: Iterator[int] = itertools.count()

    async def generate(self, request: GenerateRequest, on_text: OnText | None = None) -> Generation:
        self.requests.append(request)
        await self._live()
        words = _words(self._answer(request))
        limit = len(words) // 2 if self.card.options.get("truncate") else request.max_tokens
        out = TextOut(request.stop, on_text)
        taken = 0
        stopped = False
        while not stopped and taken < min(len(words), limit):
            stopped = out.push(words[taken])
            taken += 1
        out.flush()
        cut = not stopped and taken < len(words)
        return Generation(
            text=out.text,
            finish="length" if cut else "stop",
            prompt_tokens=self.count_tokens(request),
            completion_tokens=taken,
            cached_tokens=0,
            ttft_s=0.0,
            duration_s=0.0,
            logprobs=(0.0,) * taken if request.logprobs else None,
            choice_logprobs=(0.0,) * taken if request.logprobs else None,
        )

    def count_tokens(self, request: GenerateRequest) -> int:
        return sum(len(_words(message.content)) for message in request.messages)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        await self._live()
        dimensions = int(self.card.options.get("dimensions", 64))
        vectors = np.stack([_bag_of_words(text, dimensions) for text in texts]) if texts else None
        return Embeddings(
            vectors=vectors if vectors is not None else np.zeros((0, dimensions), dtype=np.float32),
            prompt_tokens=sum(len(_words(text)) for text in texts),
            duration_s=0.0,
        )

    async def detect(self, texts: Sequence[str]) -> list[Language]:
        await self._live()
        code = str(self.card.options.get("language", "en"))
        return [Language(code=code, probability=1.0) for _ in texts]

    def close(self) -> None:
        self.closed = True

    async def _live(self) -> None:
        if self.closed:
            raise ModelError(f"The session of model {self.card.name!r} is closed.")
        await asyncio.sleep(float(self.card.options.get("delay_s", 0.0)))
        if fail := self.card.options.get("fail"):
            raise ModelError(str(fail))

    def _answer(self, request: GenerateRequest) -> str:
        last = request.messages[-1].content
        if callable(self._answers):
            return self._answers(request)
        if isinstance(self._answers, Mapping):
            for part, answer in self._answers.items():
                if part in last:
                    return answer
        elif self._answers:
            return self._answers[min(next(self._turn), len(self._answers) - 1)]
        if "reply" in self.card.options:
            return str(self.card.options["reply"])
        if request.json_schema is not None:
            return json.dumps(smallest(request.json_schema), ensure_ascii=False)
        return last


def smallest(schema: Json, root: Json | None = None) -> Any:
    """A small value that fits the schema, as far as it uses the common keywords."""
    root = schema if root is None else root
    if "$ref" in schema:
        return smallest(_resolve(root, schema["$ref"]), root)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return smallest(schema[key][0], root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "null")
    kind = kind[0] if isinstance(kind, list) else kind
    return _SMALLEST[kind](schema, root)


def _object(schema: Json, root: Json) -> Any:
    properties = schema.get("properties", {})
    return {name: smallest(properties.get(name, {}), root) for name in schema.get("required", [])}


def _array(schema: Json, root: Json) -> Any:
    return [smallest(schema.get("items", {}), root)] * int(schema.get("minItems", 0))


def _number(schema: Json, root: Json) -> Any:
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + 1
    return schema.get("minimum", min(0, schema.get("maximum", 0)))


_SMALLEST: dict[str, Callable[[Json, Json], Any]] = {
    "object": _object,
    "array": _array,
    "integer": _number,
    "number": _number,
    "string": lambda schema, root: "x" * int(schema.get("minLength", 0)),
    "boolean": lambda schema, root: False,
    "null": lambda schema, root: None,
}


def _resolve(root: Json, pointer: str) -> Json:
    found: Any = root
    for part in pointer.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return dict(found)


def _words(text: str) -> list[str]:
    """Words with the space around them: joined again they are the text."""
    return re.findall(r"\s*\S+\s*$|\s*\S+", text) or ([text] if text else [])


def _bag_of_words(text: str, dimensions: int) -> NDArray[np.float32]:
    """Each word adds to one dimension that its hash picks: texts with common words come out close."""
    vector = np.zeros(dimensions, dtype=np.float32)
    for word in re.findall(r"\w+", text.lower()) or [""]:
        digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
        vector[int.from_bytes(digest, "big") % dimensions] += 1.0
    return vector / np.float32(np.linalg.norm(vector))
