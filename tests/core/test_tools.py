"""Tools: the schema comes from the hints, bad calls and slow calls are errors, never surprises."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import anyio
import pytest

from orchestrator.errors import ToolError, UnknownName
from orchestrator.tools import Tool as ToolClass
from orchestrator.tools import Toolbox, ToolContext, load_toolbox, tool


@tool(effect="write", timeout_s=0.2)
def greet(name: str, mood: Literal["glad", "cross"] = "glad", *, context: ToolContext) -> dict[str, str]:
    """Greet somebody."""
    return {"said": f"{name} {mood}", "run": context.run_id}


@tool(timeout_s=0.1)
def slow(seconds: float) -> None:
    """Take long."""
    time.sleep(seconds)


@tool(timeout_s=0.1)
async def slow_async(seconds: float) -> None:
    """Take long, politely."""
    await anyio.sleep(seconds)


@tool()
def broken() -> None:
    """Fail."""
    raise KeyError("oops")


def as_tool(function: object) -> ToolClass:
    found = function.__lilliput_tool__  # type: ignore[attr-defined]
    assert isinstance(found, ToolClass)
    return found


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    return ToolContext(state_dir=tmp_path, run_id="r1")


def test_the_schema_comes_from_the_hints_and_hides_the_context() -> None:
    spec = as_tool(greet).spec
    assert (spec.name, spec.description, spec.effect) == ("greet", "Greet somebody.", "write")
    assert set(spec.parameters["properties"]) == {"name", "mood"}
    assert spec.parameters["required"] == ["name"]
    assert spec.parameters["properties"]["mood"]["enum"] == ["glad", "cross"]


async def test_a_call_gets_its_context(context: ToolContext) -> None:
    assert await as_tool(greet).call({"name": "Ada"}, context) == {"said": "Ada glad", "run": "r1"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "argument 'name': Field required"),
        ({"name": 3}, "argument 'name'"),
        ({"name": "x", "mood": "sad"}, "argument 'mood'"),
        ({"name": "x", "context": {}}, "argument 'context'"),
        ({"name": "x", "other": 1}, "argument 'other'"),
    ],
)
async def test_bad_arguments(context: ToolContext, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ToolError) as raised:
        await as_tool(greet).call(arguments, context)
    assert message in str(raised.value)


@pytest.mark.parametrize("function", [slow, slow_async])
async def test_a_slow_tool_is_given_up(context: ToolContext, function: object) -> None:
    started = time.monotonic()
    with pytest.raises(ToolError, match=r"took longer than 0.1 s"):
        await as_tool(function).call({"seconds": 0.6}, context)
    assert time.monotonic() - started < 0.5


async def test_an_exception_becomes_a_tool_error(context: ToolContext) -> None:
    with pytest.raises(ToolError, match="broken failed: KeyError: 'oops'"):
        await as_tool(broken).call({}, context)


def test_a_later_file_replaces_a_tool(tmp_path: Path) -> None:
    source = (
        "from orchestrator.tools import tool\n\n@tool()\ndef f() -> str:\n    'Do {0}.'\n    return '{0}'\n"
    )
    files = [tmp_path / "a" / "tools.py", tmp_path / "b" / "tools.py"]
    for file, word in zip(files, ["one", "two"], strict=True):
        file.parent.mkdir()
        file.write_text(source.format(word))
    assert load_toolbox(files).get("f").spec.description == "Do two."


def test_an_unknown_tool_suggests() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'greet'"):
        Toolbox([as_tool(greet)]).get("great")


@tool(timeout_s=0.1)
def endless() -> None:
    """Never return."""
    while True:
        time.sleep(0.01)


@tool(timeout_s=0.1)
async def impolite() -> None:
    """Block where it should wait."""
    time.sleep(30)  # noqa: ASYNC251


@tool(timeout_s=5)
def leaves() -> None:
    """Try to end the process."""
    raise SystemExit(0)


@tool(timeout_s=5)
def opaque() -> object:
    """Give back what JSON cannot hold."""
    return object()


@tool(timeout_s=5)
async def polite() -> dict[str, list[int]]:
    """Wait, then answer."""
    await asyncio.sleep(0.01)
    return {"found": [1]}


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (endless, "took longer than 0.1 s"),
        (impolite, "took longer than 0.1 s"),
        (leaves, "leaves failed: RuntimeError: it raised SystemExit"),
        (opaque, "opaque returned what JSON cannot hold"),
    ],
)
async def test_no_tool_holds_up_a_run(context: ToolContext, function: object, said: str) -> None:
    started = time.monotonic()
    with pytest.raises(ToolError, match=said):
        await as_tool(function).call({}, context)
    assert time.monotonic() - started < 3


async def test_a_coroutine_may_be_a_tool(context: ToolContext) -> None:
    assert await as_tool(polite).call({}, context) == {"found": [1]}


def test_a_tool_that_never_returns_does_not_keep_the_process_alive(tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib; from tests.core.test_tools import as_tool, endless;"
        "from orchestrator.tools import ToolContext;"
        "asyncio.run(as_tool(endless).call({}, ToolContext(state_dir=pathlib.Path())))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "took longer" in done.stderr


async def test_a_write_that_overran_may_have_happened(context: ToolContext) -> None:
    @tool(effect="write", timeout_s=0.05)
    def late() -> None:
        """Write late."""
        time.sleep(0.2)

    with pytest.raises(ToolError, match="may still do what it was asked to do"):
        await as_tool(late).call({}, context)
