"""An answer that is not in the text was made up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.kit.amounts import parse_amount
from orchestrator.kit.grounding import number_occurs, occurs


def check_quoted(inputs: Mapping[str, Any], output: Any) -> str | None:
    said, text = output["answer"], inputs["text"]
    amount = parse_amount(said) if said else None
    in_another_notation = amount is not None and number_occurs(amount, text)
    return None if in_another_notation or occurs(said, text) else f"{said!r} is not in the text"
