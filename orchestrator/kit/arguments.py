"""What exact code can do about arguments that a model wrote for a tool: settle them, and catch inventions.

Small models fill in optional arguments that nobody mentioned. Measured on BFCL `simple_python` (development
use, n = 50): leaving out optional arguments that the text does not support raised an otherwise equal 0.5B
model from 0.68 to 0.74; on the right answers the rule removes 7 of 106 optional arguments that were wanted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from orchestrator.kit.grounding import number_occurs, occurs, values_in
from orchestrator.kit.words import split_name, word_set

Json = dict[str, Any]
# Numbers that stand for "none", "one" or "default" in any text.
_FREE_NUMBERS = (0, 1)
_PLACEHOLDER = re.compile(
    r"<[^<>]{1,60}>|\{\{?[^{}]{0,60}\}?\}|\[(?:your|the|insert|placeholder)[^\]]*\]|your[_ -]\w+|\.{3}|x{3,}"
    r"|(?:n/?a|none|null|unknown|undefined|string|value|todo|tbd|placeholder)"
    r"|not (?:specified|mentioned|provided)",
    re.IGNORECASE,
)

_RATE = re.compile(r"\b(?:rate|return|yield|interest)\b")
_AS_PERCENTAGE = re.compile(r"percent(?:age)?\b|%(?!\s*(?:is|=))")
_PERCENTAGE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|percent)")


def settle(arguments: Mapping[str, Any], schema: Mapping[str, Any], text: str) -> Json:
    """Numbers as they are declared, rates as fractions, and no optional argument without support."""
    required = schema.get("required", [])
    fields: Mapping[str, Any] = schema.get("properties", {})
    return {
        name: _as_fraction(name, conform(value, fields.get(name, {})), fields.get(name, {}), text)
        for name, value in arguments.items()
        if name in required or _supported(name, value, text)
    }


def conform(value: Any, field: Mapping[str, Any]) -> Any:
    """A declared `number` is a float also where the model wrote `3`."""
    kind = field.get("type")
    if kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind == "array" and isinstance(value, list):
        return [conform(item, field.get("items", {})) for item in value]
    if kind == "object" and isinstance(value, dict):
        inner = field.get("properties", {})
        return {name: conform(item, inner.get(name, {})) for name, item in value.items()}
    return value


def placeholder_in(arguments: Mapping[str, Any]) -> str | None:
    """A value that names its argument or stands for one, instead of being one."""
    for name, value in arguments.items():
        for item in values_in(value):
            if isinstance(item, str) and (_PLACEHOLDER.fullmatch(item.strip()) or item.strip() == name):
                return f"{name}: {item!r} is a placeholder"
    return None


def invented_number(arguments: Mapping[str, Any], schema: Mapping[str, Any], text: str) -> str | None:
    """A number that neither the text nor the argument's own description holds."""
    fields: Mapping[str, Any] = schema.get("properties", {})
    for name, value in arguments.items():
        known = f"{text} {json.dumps(fields.get(name, {}), ensure_ascii=False)}"
        for number in _numbers(value):
            if number not in _FREE_NUMBERS and not number_occurs(number, known):
                return f"{name}: {number:g} is not in the text"
    return None


def invented_words(arguments: Mapping[str, Any], schema: Mapping[str, Any], text: str) -> str | None:
    """A string most of whose words, or one of whose numbers, stand neither in the text nor the description.

    Lists of choices are exempt. On right answers (BFCL `simple_python`, all 400) this refuses 4 %: codes
    such as USD for dollars.
    """
    fields: Mapping[str, Any] = schema.get("properties", {})
    for name, value in arguments.items():
        field = fields.get(name, {})
        if "enum" in field or "enum" in field.get("items", {}):
            continue
        known = f"{text} {json.dumps(field, ensure_ascii=False)}"
        for item in values_in(value):
            if isinstance(item, str) and _is_invented(item, known):
                return f"{name}: {item!r} is not in the text"
    return None


def _is_invented(value: str, known: str) -> bool:
    words = word_set(split_name(value))
    if occurs(value, known) or not words:
        return False
    digits = {part.lstrip("0") for part in re.findall(r"\d+", known)}
    new_number = any(part.lstrip("0") not in digits for part in re.findall(r"\d+", value))
    return new_number or 2 * len(words & word_set(split_name(known))) < len(words)


def empty_required(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> str | None:
    """An empty string or list where something has to be given."""
    for name in schema.get("required", []):
        if arguments.get(name) in ("", []):
            return f"{name}: is empty"
    return None


def _as_fraction(name: str, value: Any, field: Mapping[str, Any], text: str) -> Any:
    """A rate that the text writes as 5% is 0.05, unless its description asks for a percentage.

    A convention of tool catalogues, not a law: it holds for 16 of 16 rates in BFCL `simple_python`, where
    small models copy the 5.
    """
    about = f"{name} {field.get('description', '')}".lower()
    is_rate = field.get("type") == "number" and _RATE.search(split_name(name).lower())
    if not is_rate or not isinstance(value, float) or _AS_PERCENTAGE.search(about):
        return value
    written = any(Decimal(digits) == Decimal(str(value)) for digits in _PERCENTAGE.findall(text))
    return float(Decimal(str(value)) / 100) if written else value


def _supported(name: str, value: Any, text: str) -> bool:
    if isinstance(value, bool):
        return bool(word_set(split_name(name)) & word_set(text))
    if occurs(value, text):
        return True
    return any(isinstance(item, str) and word_set(item) & word_set(text) for item in values_in(value))


def _numbers(value: Any) -> Iterator[float]:
    for item in values_in(value):
        if isinstance(item, int | float) and not isinstance(item, bool):
            yield item
