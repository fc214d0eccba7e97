"""Twenty-four schemas of the kinds that agents and tools use, for constrained decoding."""

from __future__ import annotations

from typing import Any


def _object(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


TEXT: dict[str, Any] = {"type": "string", "maxLength": 40}
WHOLE: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 99999}

SCHEMAS: dict[str, dict[str, Any]] = {
    "one string": _object(name=TEXT),
    "three fields": _object(customer=TEXT, days=WHOLE, unit={"enum": ["celsius", "fahrenheit"]}),
    "booleans": _object(urgent={"type": "boolean"}, answered={"type": "boolean"}),
    "an enum alone": {"enum": ["billing", "technical", "sales", "other"]},
    "an enum of mixed types": _object(level={"enum": [1, 2, 3, "unknown", None, True]}),
    "a nullable field": _object(order=TEXT, refund={"type": ["integer", "null"]}),
    "optional fields": _object(["title"], title=TEXT, note=TEXT, count=WHOLE),
    "an array of strings": _object(tags={"type": "array", "items": TEXT, "minItems": 1, "maxItems": 4}),
    "an array of objects": _object(
        lines={"type": "array", "items": _object(item=TEXT, quantity=WHOLE), "minItems": 1, "maxItems": 3}
    ),
    "an empty array is fine": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
    "nested objects": _object(sender=_object(name=TEXT, company=_object(name=TEXT, vat=TEXT))),
    "a number with bounds": _object(
        amount={"type": "number", "minimum": 0, "maximum": 5000}, share={"type": "number", "maximum": 1}
    ),
    "multiples": _object(minutes={"type": "integer", "multipleOf": 15, "minimum": 0, "maximum": 480}),
    "a date": _object(date={"type": "string", "format": "date"}),
    "a time and a uuid": _object(
        at={"type": "string", "format": "time"}, id={"type": "string", "format": "uuid"}
    ),
    "a pattern": _object(code={"type": "string", "pattern": "^[A-Z]{2}[0-9]{4}$"}),
    "a pattern anywhere": _object(code={"type": "string", "pattern": "[0-9]{3}", "maxLength": 20}),
    "a reference": {
        **_object(origin={"$ref": "#/$defs/place"}, to={"$ref": "#/$defs/place"}),
        "$defs": {"place": _object(city=TEXT, code={"type": "string", "pattern": "^[0-9]{4}$"})},
    },
    "a tree": {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": _object(
                ["name"],
                name={"type": "string", "maxLength": 10},
                children={"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2},
            )
        },
    },
    "any of two objects": {
        "anyOf": [
            _object(kind={"const": "refund"}, amount=WHOLE),
            _object(kind={"const": "complaint"}, text=TEXT),
        ]
    },
    "all of": {
        "allOf": [{"type": "object", "properties": {"a": WHOLE}}, {"required": ["a"]}],
        "maxProperties": 1,
    },
    "a tuple": {"type": "array", "prefixItems": [WHOLE, TEXT], "items": False, "minItems": 2},
    "a map": {"type": "object", "additionalProperties": WHOLE, "minProperties": 1, "maxProperties": 3},
    "awkward keys": {
        "type": "object",
        "properties": {'a "quoted" key': WHOLE, "één": TEXT, "tab\tkey": {"type": "boolean"}, "": WHOLE},
        "required": ['a "quoted" key', "één", "tab\tkey", ""],
        "additionalProperties": False,
    },
    "a constant": {"const": {"ok": True, "list": [1, "two", None]}},
}
