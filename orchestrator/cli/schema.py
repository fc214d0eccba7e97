"""JSON schemas as one line a field, for people; and the other way, typed words into a schema's input."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.errors import InvalidInput

Schema = Mapping[str, Any]


def inputs_of(schema: Schema) -> str:
    """One line a field: name, type, whether it must be given, and what it is."""
    required = schema.get("required", [])
    lines = []
    for name, field in schema.get("properties", {}).items():
        note = "" if name in required else ", optional"
        about = f"  {field['description']}" if field.get("description") else ""
        lines.append(f"{name} ({type_of(field)}{note}){about}")
    return "\n".join(lines) or "none"


def schema_text(schema: Schema | None) -> str | None:
    """An object's fields one a line; anything else as its type."""
    if schema is None:
        return None
    return inputs_of(schema) if schema.get("properties") else type_of(schema)


def type_of(field: Schema) -> str:
    """`string`, `one of a|b`, `list of number`."""
    if "enum" in field:
        return "one of " + "|".join(str(value) for value in field["enum"])
    if "anyOf" in field or "oneOf" in field:
        return " or ".join(type_of(option) for option in field.get("anyOf") or field["oneOf"])
    kind = field.get("type", "any")
    if kind == "array":
        return f"list of {type_of(field.get('items', {}))}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def build_input(schema: Schema, text: str | None, words: Sequence[str], base: Mapping[str, Any]) -> Any:
    """The input of a task: a file's values, then `key=value` words, then the free text where it belongs.

    Raises InvalidInput with what to type when a word has no `=` or the text has no single place.
    """
    values = dict(base)
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise InvalidInput(
                f"--input {word!r} has no '='.", hint='Write it as --input name=value, e.g. --input text="…".'
            )
        values[name] = _typed(schema.get("properties", {}).get(name, {}), name, value)
    if text is not None:
        values[_place_for_text(schema, values)] = text
    return values


def _typed(field: Schema, name: str, value: str) -> Any:
    """A word as what the schema wants: text stays text, the rest is read as JSON."""
    kinds = field.get("type", "any")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "string" in kinds:
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        if kinds == ["any"]:
            return value
        raise InvalidInput(
            f"--input {name}={value!r} is not {type_of(field)}: {error}.",
            hint="Anything but text is written as JSON.",
        ) from None


def _place_for_text(schema: Schema, given: Mapping[str, Any]) -> str:
    fields: Mapping[str, Any] = schema.get("properties", {})
    if not fields:
        return "text"
    free = [name for name, field in fields.items() if field.get("type") == "string" and name not in given]
    wanted = [name for name in free if name in schema.get("required", [])] or free
    if len(wanted) == 1 or "text" in wanted:
        return "text" if "text" in wanted else wanted[0]
    known = ", ".join(fields)
    raise InvalidInput(
        "The text has no single place to go in this input.", hint=f"Use --input name=value; it takes {known}."
    )
