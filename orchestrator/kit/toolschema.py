"""One JSON schema dialect out of the several that tool catalogues use.

Catalogues write `dict`, `float`, `tuple`, `str` or `any` where JSON schema says `object`, `number`, `array`,
`string` or nothing. `normalise` translates, closes objects, and keeps what constrains or explains.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestrator.kit.words import split_name

Json = dict[str, Any]

_TYPE_NAMES = {
    "object": "dict object hashmap map",
    "array": "list array arraylist tuple set",
    "string": "string str char text date datetime",
    "integer": "integer int long short byte bigint",
    "number": "number float double decimal",
    "boolean": "boolean bool",
    "null": "null none",
}
_TYPES = {alias: name for name, aliases in _TYPE_NAMES.items() for alias in aliases.split()}
# What a grammar compiler can enforce on a scalar. `default` is no constraint, and some compilers refuse the
# names of `format` that they do not know, so both are left out.
_KEPT = (
    "description",
    "enum",
    "const",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
)
_ANY_SCALAR = ["string", "number", "boolean"]


def normalise(schema: Mapping[str, Any]) -> Json:
    """A strict JSON schema for one value: known type names, closed objects, only what can be enforced."""
    made: Json = {key: schema[key] for key in _KEPT if key in schema}
    kind = _type_of(schema)
    if kind == "array":
        made.pop("enum", None)
        return made | _array(schema)
    if {"enum", "const"} & made.keys():
        # The values say enough, and catalogues do declare integers with an enum of strings.
        return made
    return made | (_object(schema) if kind == "object" else {"type": kind or list(_ANY_SCALAR)})


def parameters_of(tool: Mapping[str, Any]) -> Json:
    """The normalised schema of a tool's arguments; a tool without parameters takes an empty object."""
    return normalise({"properties": {}, **(tool.get("parameters") or {}), "type": "object"})


def call_schema(tool: Mapping[str, Any]) -> Json:
    """The schema of one call of this tool: `{"name": ..., "arguments": {...}}`."""
    return {
        "type": "object",
        "properties": {"name": {"const": tool["name"]}, "arguments": parameters_of(tool)},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def describe(schema: Mapping[str, Any]) -> str:
    """The properties of an object schema as one short line each, for a prompt; other schemas as they are."""
    if not schema.get("properties"):
        return json.dumps(schema, ensure_ascii=False)
    required = schema.get("required", [])
    return "\n".join(_line(name, field, name in required) for name, field in schema["properties"].items())


def card_text(tool: Mapping[str, Any]) -> str:
    """A tool as one line for an encoder: its name in words, what it does, and what it is given."""
    properties = (tool.get("parameters") or {}).get("properties") or {}
    arguments = ", ".join(split_name(name) for name in properties)
    text = f"{split_name(tool['name'])}: {tool.get('description') or ''}"
    return f"{text} ({arguments})" if arguments else text


def _line(name: str, field: Mapping[str, Any], required: bool) -> str:
    text = f"- {name} ({_short_type(field)}{'' if required else ', optional'})"
    return f"{text}: {field['description']}" if field.get("description") else text


def _short_type(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return "one of " + json.dumps(field["enum"], ensure_ascii=False)
    if field.get("type") == "array":
        return f"list of {_short_type(field.get('items', {}))}"
    if field.get("properties"):
        inner = (f"{name}: {_short_type(value)}" for name, value in field["properties"].items())
        return "{" + ", ".join(inner) + "}"
    kind = field.get("type", "value")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _type_of(schema: Mapping[str, Any]) -> Any:
    declared = schema.get("type")
    if isinstance(declared, list):
        return [_TYPES.get(str(name).lower(), "string") for name in declared]
    if declared is None:
        return "object" if "properties" in schema else None
    return None if str(declared).lower() == "any" else _TYPES.get(str(declared).lower(), "string")


def _array(schema: Mapping[str, Any]) -> Json:
    """An enum beside `type: array` is meant for the items."""
    items = dict(schema.get("items") or {})
    if "enum" in schema:
        items.setdefault("enum", schema["enum"])
    return {"type": "array", "items": normalise(items)}


def _object(schema: Mapping[str, Any]) -> Json:
    properties = schema.get("properties")
    if properties is None:
        # A free-form map: only an object with declared properties can be closed.
        return {"type": "object"}
    required = [name for name in schema.get("required") or [] if name in properties]
    return {
        "type": "object",
        "properties": {name: normalise(value) for name, value in properties.items()},
        "required": required,
        "additionalProperties": False,
    }
