"""A JSON schema as a constraint on the next token, by llguidance.

llguidance compiles a schema to a grammar and tells, before each token, which tokens may follow (a mask over
the vocabulary) and which *must* follow: the key names, quotes and braces that the schema leaves no choice
about. Those forced tokens are fed to the model together with the last chosen one, in one forward pass,
instead of being decoded one by one: with Qwen 0.5B 11 passes an answer instead of 27, and the same answers
(n = 12, four fields).

Why not `GeneratorParams.set_guidance`, which is llguidance inside onnxruntime-genai 0.18: its forced
tokens may overrun the KV buffer, which corrupts the heap (seen as `corrupted size vs. prev_size`); its
grammar belongs to one generator, so calls with different schemas cannot share a prompt head; it stops at
the first token of a schema that has only one answer. The same library from Python costs 0.4 ms a token.

Whitespace: left alone, models pretty-print and spend up to half of the tokens on it. The grammar allows
exactly what `json.dumps` writes: one space after each colon and comma. Without the spaces JSON is shorter
still, but small models have seldom seen it and answer worse. Orders of four fields, 24 of them, all fields
right (tokens an answer): SmolLM2-135M 7 (31) like this, 2 (29) compact, 8 (42) free; Qwen 0.5B 24 (27),
21 (24), 24 (33).
Escapes such as \\u0041 are not offered: half of a surrogate pair would be valid JSON and no valid text.

Not covered, and refused with the keyword's name: `not`, `if`, `uniqueItems`, `contains`,
`dependentRequired`, `propertyNames`, overlapping `oneOf`, look-around in `pattern`, remote `$ref`.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InvalidInput, ModelError
from orchestrator.types import Json

if TYPE_CHECKING:
    from llguidance import LLMatcher

_STYLE = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "json_allowed_escapes": 'nrbtf\\"',
}
_KEPT_GRAMMARS = 64


class Guide:
    """Compiles schemas for one model's vocabulary and keeps the compiled grammars.

    `tokenizer`: the path of a tokenizer.json, or what is in it. `vocabulary`: scores that the model gives.
    """

    def __init__(self, tokenizer: str, vocabulary: int, end_tokens: Iterable[int]) -> None:
        from llguidance import LLTokenizer

        self._vocabulary = vocabulary
        self._end_tokens = frozenset(end_tokens)
        self._tokenizer = LLTokenizer(tokenizer, n_vocab=vocabulary, eos_token=sorted(self._end_tokens))
        self._compiled: OrderedDict[str, LLMatcher] = OrderedDict()

    def constraint(self, schema: Json) -> Constraint:
        """A fresh constraint. Raises InvalidInput naming the keyword that cannot be enforced."""
        key = json.dumps(schema)
        if key not in self._compiled:
            self._compiled[key] = self._compile(schema)
            if len(self._compiled) > _KEPT_GRAMMARS:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return Constraint(self._compiled[key].deep_copy(), self._vocabulary, self._end_tokens)

    def _compile(self, schema: Json) -> LLMatcher:
        from llguidance import LLMatcher

        styled = {**schema, "x-guidance": {**_STYLE, **schema.get("x-guidance", {})}}
        matcher = LLMatcher(self._tokenizer, LLMatcher.grammar_from_json_schema(styled), log_level=0)
        if matcher.is_error():
            raise InvalidInput(
                f"This JSON schema cannot be enforced while decoding: {matcher.get_error().strip()}.",
                hint="Leave that part out of the schema and test it in a check of the agent instead.",
            )
        return matcher


class Constraint:
    """Where one answer stands in its grammar."""

    def __init__(self, matcher: LLMatcher, vocabulary: int, end_tokens: frozenset[int]) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary
        self._end_tokens = end_tokens
        self._bits = np.zeros((vocabulary + 31) // 32, dtype=np.int32)

    @property
    def complete(self) -> bool:
        """The answer is whole and nothing may follow."""
        return bool(self._matcher.is_stopped())

    def forced(self, limit: int) -> list[int]:
        """Tokens that the grammar leaves no choice about, at most `limit`; they count as accepted."""
        if self.complete:
            return []
        tokens = [token for token in self._matcher.compute_ff_tokens() if token not in self._end_tokens]
        tokens = tokens[:limit]
        self._matcher.consume_tokens(tokens)
        self._check()
        return tokens

    def allowed(self) -> NDArray[np.bool_]:
        """Which tokens may follow; the model's end tokens are among them where the answer may end."""
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        self._check()
        bits = np.unpackbits(self._bits.view(np.uint8), bitorder="little")
        return bits[: self._vocabulary].astype(np.bool_)

    def accept(self, token: int) -> None:
        self._matcher.consume_token(token)
        self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise ModelError(f"The grammar of the answer failed: {self._matcher.get_error().strip()}.")
