"""Ask one built-in agent through its public door, with a session that a test controls."""

from __future__ import annotations

import functools
import json
from typing import Any, NamedTuple

from orchestrator.agent import Agent, Call, load_agent
from orchestrator.runtimes.base import Session
from orchestrator.runtimes.scripted import Answers, ScriptedSession
from orchestrator.tools import Toolbox, load_toolbox
from orchestrator.types import Answer, ModelCard
from orchestrator.workspace import Workspace, builtin_root

CAPABILITIES = ["generate", "json-schema", "embed", "detect-language"]


class Asked(NamedTuple):
    """An answer, and why its checks refuse it, by the name of the check."""

    answer: Answer
    refused: dict[str, str]

    @property
    def output(self) -> Any:
        return self.answer.output


@functools.cache
def workspace() -> Workspace:
    return Workspace((builtin_root().resolve(),))


@functools.cache
def toolbox() -> Toolbox:
    return load_toolbox(workspace().tool_files)


def agent(name: str) -> Agent:
    return load_agent(workspace().agents[name])


def fake_card(**options: Any) -> dict[str, Any]:
    return {
        "name": "fake",
        "description": "A fake.",
        "licence": "none",
        "origin": "tests",
        "runtime": "scripted",
        "capabilities": CAPABILITIES,
        "options": {"dimensions": 512, **options},
    }


def session(answers: Answers | None = None, **options: Any) -> ScriptedSession:
    return ScriptedSession(ModelCard.model_validate(fake_card(**options)), answers)


async def ask(name: str, inputs: dict[str, Any], model: Session | None = None) -> Asked:
    """Validate the input, answer, and run the checks, as the controller does."""
    one = agent(name)
    one.validate_input(inputs)
    call = Call(one.spec, model, roots=workspace().roots)
    answer = await one.answer(inputs, call)
    checks = one.check(inputs, answer)
    return Asked(answer, {check.name: check.reason or "" for check in checks if not check.passed})


def refused(name: str, inputs: dict[str, Any], output: Any) -> dict[str, str]:
    """What the agent's checks say about an output that a model might give."""
    checks = agent(name).check(inputs, Answer(output=output))
    return {check.name: check.reason or "" for check in checks if not check.passed}


def says(value: Any) -> ScriptedSession:
    """A model that answers with this JSON, whatever it is asked."""
    return session([json.dumps(value, ensure_ascii=False)])
