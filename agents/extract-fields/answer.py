"""Show the fields as one short line each: a JSON schema costs a small model three times the tokens.

What is copied cannot be longer than the text and the names of the fields, so the token budget follows them. A
model that starts to repeat itself is cut off soon, and the next one is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.agent import Call, messages_of
from orchestrator.kit.toolschema import describe
from orchestrator.types import Answer

_SPARE_TOKENS, _TOKENS_PER_FIELD, _ITEMS = 32, 8, 4


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    schema = inputs["schema"]
    messages = messages_of(call.spec, {**inputs, "fields": describe(schema)})
    budget = _SPARE_TOKENS + _tokens(inputs["text"]) + _TOKENS_PER_FIELD * _fields(schema)
    output, confidence = await call.generate_json(messages, schema, max_tokens=budget)
    return Answer(output=_nulls(output, schema), confidence=confidence)


def _nulls(value: Any, schema: Any) -> Any:
    """Small models write the word "null" where they mean null; only where the schema allows it."""
    if isinstance(value, dict) and isinstance(schema, Mapping):
        fields = schema.get("properties", {})
        return {name: _nulls(item, fields.get(name)) for name, item in value.items()}
    nullable = isinstance(schema, Mapping) and "null" in (schema.get("type") or ())
    return None if nullable and value in ("null", "None", "") else value


def _tokens(text: str) -> int:
    """Two characters a token: numbers and Dutch words are cut into short pieces."""
    return len(text) // 2


def _fields(schema: Any) -> int:
    """How many names the output will hold; a list is counted as some items."""
    if isinstance(schema, Mapping):
        inner = sum(_fields(item) for item in schema.get("properties", {}).values())
        listed = _ITEMS * _fields(schema.get("items"))
        return len(schema.get("properties", {})) + inner + listed
    return 0
