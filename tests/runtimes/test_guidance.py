"""Whatever a model wants to say, what comes out fits the schema or is cut for length.

The model is the worst there is: random scores over 257 tokens, one for each byte and one that ends.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

import jsonschema
import numpy as np
import pytest

from orchestrator.errors import InvalidInput
from orchestrator.runtimes.decoding import Decoding, Order, Scores
from orchestrator.runtimes.guidance import Guide
from orchestrator.runtimes.text import TextOut
from tests.runtimes.helpers import END, byte_tokenizer
from tests.runtimes.schemas import SCHEMAS


class Babbler:
    """Random scores. With a wish to `end` it comes to an end sooner."""

    def __init__(self, seed: int, end: float = 2.0) -> None:
        self._random = np.random.default_rng(seed)
        self._end = end

    def feed(self, tokens: Sequence[int], rows: int) -> Scores:
        scores = self._random.normal(size=(max(1, rows), END + 1)).astype(np.float32)
        for closing in (END, ord('"'), ord("}"), ord("]")):
            scores[:, closing] += self._end
        return scores


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Guide:
    return Guide(byte_tokenizer(tmp_path_factory.mktemp("tokenizer")), END + 1, {END})


def babble(guide: Guide, schema: dict[str, Any], seed: int, max_tokens: int = 400) -> tuple[str, str]:
    said = bytearray()

    def decode(token: int) -> str:
        said.append(token)
        return ""

    order = Order(
        prompt=[1, 2],
        max_tokens=max_tokens,
        end_tokens=frozenset({END}),
        decode=decode,
        text=TextOut(),
        constraint=guide.constraint(schema),
    )
    done = Decoding(Babbler(seed), order, Event()).run()
    return said.decode("utf-8", "replace"), done.finish


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_comes_out_fits_or_was_cut(guide: Guide, name: str) -> None:
    schema = SCHEMAS[name]
    complete = 0
    for seed in range(12):
        text, finish = babble(guide, schema, seed)
        if finish == "stop":
            jsonschema.validate(json.loads(text), schema)
            text.encode("utf-8")
            complete += 1
    assert complete >= 3, "the babbler should come to an end now and then"


def test_a_budget_that_is_too_small_is_told_as_length(guide: Guide) -> None:
    text, finish = babble(guide, SCHEMAS["nested objects"], seed=1, max_tokens=20)
    assert (len(text), finish) == (20, "length")


def test_the_form_is_that_of_json_dumps(guide: Guide) -> None:
    text, _ = babble(guide, SCHEMAS["a constant"], seed=0)
    assert text == json.dumps(SCHEMAS["a constant"]["const"])


def test_a_schema_may_choose_another_form(guide: Guide) -> None:
    compact = {"item_separator": ",", "key_separator": ":"}
    text, _ = babble(guide, {**SCHEMAS["a constant"], "x-guidance": compact}, seed=0)
    assert text == '{"ok":true,"list":[1,"two",null]}'


@pytest.mark.parametrize("seed", range(5))
def test_no_half_of_a_surrogate_pair(guide: Guide, seed: int) -> None:
    text, _ = babble(guide, {"type": "string"}, seed)
    assert "\\u" not in text


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ({"not": {"type": "string"}}, "not"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"type": "array", "contains": {"type": "integer"}}, "contains"),
        ({"if": {"type": "string"}, "then": {"minLength": 3}}, "if"),
        ({"type": "object", "dependentRequired": {"a": ["b"]}}, "dependentRequired"),
        ({"type": "object", "propertyNames": {"pattern": "^a"}}, "propertyNames"),
        ({"oneOf": [{"type": "string"}, {"maxLength": 3, "type": "string"}]}, "oneOf"),
        ({"type": "string", "pattern": "(?=a)b"}, "look-around"),
        ({"type": "string", "format": "nope"}, "nope"),
        ({"type": "bogus"}, "bogus"),
        ({"$ref": "#/$defs/missing"}, "missing"),
        ({"$ref": "http://example.com/schema.json"}, "example.com"),
        ({"enum": []}, "Unsatisfiable"),
        ({"type": "string", "minLength": 5, "maxLength": 2}, "minLength"),
    ],
)
def test_what_cannot_be_enforced_is_refused_by_name(guide: Guide, schema: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        guide.constraint(schema)


def test_a_very_long_forced_answer_stays_within_the_budget(guide: Guide) -> None:
    schema = {"type": "array", "items": {"const": "again"}, "minItems": 2000, "maxItems": 2000}
    text, finish = babble(guide, schema, seed=0, max_tokens=300)
    assert (len(text), finish) == (300, "length")


def test_a_grammar_is_compiled_once_and_starts_afresh_each_time(guide: Guide) -> None:
    first = guide.constraint(SCHEMAS["a constant"])
    assert first.forced(1000)
    assert first.complete
    again = guide.constraint(SCHEMAS["a constant"])
    assert not again.complete


def test_the_tokenizer_may_be_given_by_its_content(tmp_path: Path) -> None:
    content = Path(byte_tokenizer(tmp_path)).read_text("utf-8")
    text, _ = babble(Guide(content, END + 1, {END}), {"const": "é"}, seed=0)
    assert json.loads(text) == "é"
