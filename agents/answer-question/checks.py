"""An answer that is not in the text was made up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.kit.grounding import occurs


def check_quoted(inputs: Mapping[str, Any], output: Any) -> str | None:
    said = output["answer"]
    return None if occurs(said, inputs["text"]) else f"{said!r} is not in the text"
