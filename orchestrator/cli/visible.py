"""Text from models, tools and strangers, made safe for a terminal.

An escape sequence in a ticket must not be able to move the cursor, hide a line of an approval, or turn text
around: control and format characters are shown as `\\u001b` instead of being obeyed.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

# Zero-width joiners are part of ordinary emoji and of several scripts.
_HARMLESS = {"\n", "\t", "\u200c", "\u200d"}


def visible(text: str) -> str:
    """The same text with everything that a terminal could obey written out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _shows_itself(char) else f"\\u{ord(char):04x}" for char in text)


def _shows_itself(char: str) -> bool:
    return char in _HARMLESS or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def as_text(value: Any, indent: int = 0) -> str:
    """A value for people: `name: value` lines, lists with dashes, long texts as they are. Safe to print."""
    if isinstance(value, str):
        return _indented(visible(value), indent)
    if isinstance(value, Mapping) and value:
        return "\n".join(_entry(f"{visible(str(key))}:", item, indent) for key, item in value.items())
    if isinstance(value, list | tuple) and value:
        return "\n".join(_entry("-", item, indent) for item in value)
    return " " * indent + json.dumps(value, ensure_ascii=False, default=str)


def _entry(head: str, value: Any, indent: int) -> str:
    """Short values beside their name, the others under it."""
    pad = " " * indent
    if isinstance(value, str) and "\n" not in value:
        return f"{pad}{head} {visible(value)}"
    if isinstance(value, str) or (isinstance(value, Mapping | list | tuple) and value):
        return f"{pad}{head}\n{as_text(value, indent + 2)}"
    return f"{pad}{head} {json.dumps(value, ensure_ascii=False, default=str)}"


def _indented(text: str, indent: int) -> str:
    pad = " " * indent
    return "\n".join(pad + line for line in text.split("\n"))
