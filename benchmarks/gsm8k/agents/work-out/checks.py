"""What the calculator cannot read is no expression."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ALLOWED = re.compile(r"[\d\s.+*/()%-]+")


def check_expression(inputs: Mapping[str, Any], output: Any) -> str | None:
    return (
        None
        if _ALLOWED.fullmatch(output["expression"])
        else "the expression holds more than numbers and + - * / ( )"
    )
