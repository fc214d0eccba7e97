"""A plan that cannot be run is seen without knowing the right one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.kit.plangraph import graph_of, problem_of


def check_can_be_run(inputs: Mapping[str, Any], output: Any) -> str | None:
    return problem_of(graph_of(output["steps"]), [tool["name"] for tool in inputs["tools"]])
