"""A small workspace on disk and a controller over it whose models say what a test tells them to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from orchestrator.controller import Controller
from orchestrator.records import Records
from orchestrator.runtimes.base import LoadOptions, OnText
from orchestrator.runtimes.pool import ModelPool
from orchestrator.settings import Settings
from orchestrator.store import ModelStore
from orchestrator.store.files import folder_hash
from orchestrator.tools import load_toolbox
from orchestrator.types import (
    Event,
    GenerateRequest,
    Generation,
    ModelCard,
    RunDone,
    RunResult,
    Step,
    StepDone,
    Task,
)
from orchestrator.workspace import Workspace

Reply = Callable[[GenerateRequest], Awaitable[str | Generation]]

TEXT_IN = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
AGENT = """---
{header}
---
# System
You are {name}.
# User
{{{{ text }}}}
"""


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def add_model(root: Path, name: str, parameters: int, **fields: Any) -> None:
    card = {
        "name": name,
        "description": "Says what the test tells it to.",
        "licence": "none",
        "origin": "tests",
        "runtime": "scripted",
        "capabilities": ["generate", "json-schema"],
        "parameters": parameters,
        **fields,
    }
    write(root, f"models/{name}.yaml", json.dumps(card))


def add_agent(root: Path, name: str, checks: str = "", answer: str = "", **fields: Any) -> None:
    header = {
        "name": name,
        "description": f"Do {name}.",
        "needs": ["generate"],
        "input": TEXT_IN,
        "output": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
        **fields,
    }
    write(root, f"agents/{name}/agent.md", AGENT.format(header=json.dumps(header), name=name))
    if checks:
        write(root, f"agents/{name}/checks.py", checks)
    if answer:
        write(root, f"agents/{name}/answer.py", answer)


def add_workflow(root: Path, name: str, steps: Mapping[str, Any], answer: Any = None, **fields: Any) -> None:
    workflow = {
        "name": name,
        "description": "A test.",
        "input": TEXT_IN,
        "steps": steps,
        "answer": answer,
        **fields,
    }
    write(root, f"configs/workflows/{name}.yaml", json.dumps(workflow))


def says(text: str) -> Reply:
    async def reply(request: GenerateRequest) -> str:
        return json.dumps({"text": text})

    return reply


def fails(error: Exception) -> Reply:
    async def reply(request: GenerateRequest) -> str:
        raise error

    return reply


def cut_off() -> Reply:
    async def reply(request: GenerateRequest) -> Generation:
        return Generation(
            text='{"text": "half', finish="length", prompt_tokens=3, completion_tokens=2, duration_s=0.0
        )

    return reply


class ScriptedSession:
    """Answers with what its script returns; keeps every request."""

    resident_bytes = 0

    def __init__(self, card: ModelCard, reply: Reply, log: list[tuple[str, GenerateRequest]]) -> None:
        self.card = card
        self._reply = reply
        self._log = log

    def close(self) -> None: ...

    def count_tokens(self, request: GenerateRequest) -> int:
        return 1

    async def generate(self, request: GenerateRequest, on_text: OnText | None = None) -> Generation:
        self._log.append((self.card.name, request))
        reply = await self._reply(request)
        if isinstance(reply, Generation):
            return reply
        if on_text:
            on_text(reply)
        return Generation(text=reply, finish="stop", prompt_tokens=3, completion_tokens=2, duration_s=0.0)


class World:
    """What a test looks at: the controller, the requests that models got, the records."""

    def __init__(self, controller: Controller, requests: list[tuple[str, GenerateRequest]]) -> None:
        self.controller = controller
        self.requests = requests
        self.records = controller.records

    async def run(self, task: Any, approve: Any = None) -> tuple[RunResult, list[Step], list[Event]]:
        events = [event async for event in self.controller.run(task, approve=approve)]
        steps = [event.step for event in events if isinstance(event, StepDone)]
        last = events[-1]
        assert isinstance(last, RunDone)
        return last.result, steps, events


def publish(root: Path, model: str, agent: str) -> None:
    """Evidence as `lilliput bench publish` writes it."""
    workspace = Workspace((root,))
    entry = {
        "agent": agent,
        "benchmark": "tickets",
        "family": "test",
        "ruling": "confirmed",
        "margin": 0.05,
        "n": 300,
        "quality": 0.91,
        "low": 0.88,
        "high": 0.94,
        "reference": "reference",
        "reference_quality": 0.9,
        "reference_model": "large",
        "model_key": ModelStore(root, workspace.cards).key(model),
        "agent_hash": folder_hash(root / "agents" / agent) if (root / "agents" / agent).is_dir() else "x",
        **dict.fromkeys(("machine", "data_hash", "made_at"), "x"),
    }
    write(root, f"models/evidence/{model}.yaml", json.dumps({"name": model, "evidence": [entry]}))


@asynccontextmanager
async def open_world(root: Path, replies: Mapping[str, Reply], **settings: Any) -> AsyncIterator[World]:
    """A controller over `root`; `replies` gives each model its script."""
    write(root, "configs/machines/default.yaml", json.dumps(
        {"name": "default", "cpu_watts_per_core": 10.0, "idle_watts": 20.0, "source": "test"}
    ))  # fmt: skip
    workspace = Workspace((root,))
    workspace.insist()
    requests: list[tuple[str, GenerateRequest]] = []

    def load(card: ModelCard, options: LoadOptions) -> ScriptedSession:
        return ScriptedSession(card, replies[card.name], requests)

    values = {
        "cache_dir": root / "cache",
        "state_dir": root / "state",
        "memory_budget_bytes": 10**9,
        **settings,
    }
    made = Settings(**values)
    store = ModelStore(made.cache_dir, workspace.cards, workspace.card_folders)
    pool = ModelPool(
        workspace.cards, store.folder, memory_budget_bytes=made.memory_budget_bytes, threads=1, loader=load
    )
    records = Records(made.state_dir / "runs.sqlite")
    toolbox = load_toolbox(workspace.tool_files)
    try:
        yield World(Controller(workspace, made, store, pool, records, toolbox), requests)
    finally:
        await pool.close()
        records.close()


def task(**fields: Any) -> Task:
    return Task(**{"input": {"text": "hello"}, **fields})
