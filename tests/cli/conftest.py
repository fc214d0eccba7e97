"""A user's workspace with scripted models, and the command line called the way a shell calls it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestrator.cli import main

MACHINE = """\
name: default
description: A machine for tests.
cpu_watts_per_core: 10.0
idle_watts: 20.0
source: made up for tests
"""
CARD = """\
name: {name}
description: A scripted model for tests.
licence: none
origin: made for tests
runtime: scripted
role: {role}
capabilities: [generate, json-schema, logprobs]
parameters: {parameters}
context_tokens: 2000
options: {options}
"""
SHOUT = """\
---
name: shout
description: Say a text in capitals.
needs: [generate, json-schema]
input:
  type: object
  properties:
    text: {type: string, description: what to say}
    times: {type: integer}
  required: [text]
output:
  type: object
  properties: {loud: {type: string}}
  required: [loud]
  additionalProperties: false
---
# System
You shout.

# User
Shout: {{ text }}
"""
LOUD = """\
def check_loud(inputs, output):
    return None if output["loud"].isupper() else f"{output['loud']!r} is not in capitals"
"""
DOUBLE = """\
---
name: double
description: Repeat a text.
input:
  type: object
  properties: {text: {type: string}}
  required: [text]
output: {type: string}
---
"""
TWICE = """\
from orchestrator.types import Answer


async def answer(inputs, call):
    return Answer(output=inputs["text"] * 2)
"""
TOOLS = '''\
from orchestrator.tools import ToolContext, tool


@tool(effect="write")
def keep_note(title: str, body: str, context: ToolContext) -> dict[str, str]:
    """Write a note down."""
    context.state_dir.mkdir(parents=True, exist_ok=True)
    (context.state_dir / "note.txt").write_text(f"{title}: {body}")
    return {"id": "N-1"}
'''
NOTES = """\
name: notes
description: Shout a text and write it down.
input:
  type: object
  properties: {text: {type: string}}
  required: [text]
steps:
  twice: {agent: double, with: {text: "${task.text}"}}
  loud: {agent: shout, with: {text: "${twice}"}}
  again: {agent: double, with: {text: "${twice}"}}
  note: {tool: keep_note, with: {title: "${task.text}", body: "${loud.loud}"}}
answer: {note: "${note.id}", text: "${again}"}
examples:
  - {text: hello}
"""


class Said(NamedTuple):
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Lilliput = Callable[..., Said]


def write_card(folder: Path, name: str, parameters: int, *, role: str = "crew", **options: Any) -> None:
    text = CARD.format(name=name, parameters=parameters, role=role, options=json.dumps(options))
    write(folder, {f"models/{name}.yaml": text})


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def environment(folder: Path) -> dict[str, str]:
    """A home of its own; bytecode may be kept, as it is for a user."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    homes = {name: str(folder / name.lower()) for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")}
    return {**kept, **homes}


def apart(desk: Path) -> list[str]:
    """The command in a process of its own, with the same small built-in content as the `desk` fixture."""
    builtin = str(desk.parent / "builtin")
    code = f"""
import pathlib, orchestrator.workspace
orchestrator.workspace.builtin_root = lambda: pathlib.Path({builtin!r})
from orchestrator.cli import main
main()
"""
    return [sys.executable, "-c", code]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No home, no settings of the person who runs the tests; the built-in content is one machine."""
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    ours = [name for name in os.environ if name.startswith("LILLIPUT_")]
    for name in (*ours, "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    write(tmp_path / "builtin", {"configs/machines/default.yaml": MACHINE})
    monkeypatch.setattr("orchestrator.workspace.builtin_root", lambda: tmp_path / "builtin")
    return tmp_path


@pytest.fixture
def desk(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with two models: `small` answers wrongly, `large` (the reference) rightly."""
    folder = elsewhere / "desk"
    write(
        folder,
        {
            "configs/lilliput.yaml": "threads: 1\n",
            "configs/workflows/notes.yaml": NOTES,
            "agents/shout/agent.md": SHOUT,
            "agents/shout/checks.py": LOUD,
            "agents/double/agent.md": DOUBLE,
            "agents/double/answer.py": TWICE,
            "agents/desk/tools.py": TOOLS,
        },
    )
    write_card(folder, "small", 1_000_000, reply='{"loud": "too quiet"}')
    write_card(folder, "large", 2_000_000, role="reference", reply='{"loud": "HELLO"}')
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def lilliput(capsys: pytest.CaptureFixture[str]) -> Lilliput:
    """Run one command in this process: its exit code and what it printed."""

    def call(*arguments: str) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Said(int(ended.value.code or 0), printed.out, printed.err)

    return call
