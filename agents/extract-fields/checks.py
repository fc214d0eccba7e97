"""A value that is not in the text was made up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.kit.grounding import occurs, values_in


def check_copied(inputs: Mapping[str, Any], output: Any) -> str | None:
    """Every string and number must occur in the text; numbers and dates in any notation."""
    allowed = set(_choices(inputs["schema"]))
    for value in values_in(output):
        chosen = isinstance(value, str) and value in allowed
        if not chosen and not occurs(value, inputs["text"]):
            return f"{value!r} is not in the text"
    return None


def _choices(schema: Any) -> list[str]:
    """Values of an `enum` or `const` are chosen, not copied."""
    if isinstance(schema, list):
        return [choice for item in schema for choice in _choices(item)]
    if not isinstance(schema, Mapping):
        return []
    own = [*schema.get("enum", []), schema.get("const")]
    inner = [choice for key, item in schema.items() if key != "enum" for choice in _choices(item)]
    return [choice for choice in own if isinstance(choice, str)] + inner
