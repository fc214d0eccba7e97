"""A workspace in which the loop has something to do: two models, an agent with a check, two tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.world import add_agent, add_model, write

TOOLS = '''
from orchestrator.tools import ToolContext, tool

@tool(effect="write")
def save(value: str, context: ToolContext) -> dict:
    """Keep a value."""
    with open(context.state_dir / "saved.txt", "a") as file:
        file.write(f"{value} {context.idempotency_key}\\n")
    return {"saved": value}

@tool()
def shout(value: str) -> str:
    """Say it loudly."""
    if value == "boom":
        raise RuntimeError("too loud")
    return value.upper()
'''
NOT_WRONG = (
    "def check_right(inputs, output):\n    return 'it is wrong' if output['text'] == 'wrong' else None\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    add_model(tmp_path, "small", 100)
    add_model(tmp_path, "large", 1000, role="reference")
    add_agent(tmp_path, "echo", checks=NOT_WRONG)
    write(tmp_path, "agents/desk/tools.py", TOOLS)
    return tmp_path
