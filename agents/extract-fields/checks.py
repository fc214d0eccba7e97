"""A value that is not in the text was made up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.kit.grounding import occurs, values_in

# Shorter ones could arise by chance where words meet.
_LONG = 12


def check_copied(inputs: Mapping[str, Any], output: Any) -> str | None:
    """Every string and number must occur in the text; numbers and dates in any notation."""
    allowed = set(_choices(inputs["schema"]))
    for value in values_in(output):
        chosen = isinstance(value, str) and value in allowed
        if not chosen and not occurs(value, inputs["text"]) and not _joined(value, inputs["text"]):
            return f"{value!r} is not in the text"
    return None


def _joined(value: Any, text: str) -> bool:
    """An address over several lines may come back with commas between them."""
    letters = _letters(str(value))
    return any(map(str.isalpha, letters)) and len(letters) >= _LONG and letters in _letters(text)


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _choices(schema: Any) -> list[str]:
    """Values of an `enum` or `const` are chosen, not copied."""
    if isinstance(schema, list):
        return [choice for item in schema for choice in _choices(item)]
    if not isinstance(schema, Mapping):
        return []
    own = [*schema.get("enum", []), schema.get("const")]
    inner = [choice for key, item in schema.items() if key != "enum" for choice in _choices(item)]
    return [choice for choice in own if isinstance(choice, str)] + inner
