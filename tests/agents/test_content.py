"""The built-in crew and its workflows are sound: every file loads, every example fits, every plan can run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.agent import load_agent, messages_of, schema_problem
from orchestrator.planning import check_workflow
from orchestrator.workspace import Workspace
from tests.agents.crew import toolbox, workspace

CREW = {
    *("triage", "language", "choose-tool", "call-tool", "use-tool", "extract-fields", "find-answer"),
    *("redact", "draft-reply", "calculate", "plan", "tag-spans", "answer-question"),
    "detect-injection",
}
WORKFLOWS = {"service-desk", "quote", "invoice", "tool-use"}
CODE_ONLY = {"redact", "calculate"}


def examples(name: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = yaml.safe_load(
        (workspace().agents[name].folder / "examples.yaml").read_text()
    )
    return made


def test_the_crew_is_complete() -> None:
    assert set(workspace().agents) >= CREW
    assert set(workspace().workflows) >= WORKFLOWS
    assert workspace().problems == []


@pytest.mark.parametrize("name", sorted(CREW))
def test_an_agent_loads_and_says_what_it_needs(name: str) -> None:
    spec = load_agent(workspace().agents[name]).spec
    assert bool(spec.needs) is (name not in CODE_ONLY)
    assert spec.description.endswith(".")
    assert spec.input.get("additionalProperties") is False
    assert set(spec.untrusted_inputs) <= set(spec.input["properties"])


@pytest.mark.parametrize("name", sorted(CREW))
def test_an_agents_examples_fit_its_input(name: str) -> None:
    for example in examples(name):
        assert set(example) == {"name", "input", "expect"}
        assert schema_problem(workspace().agent(name).input, example["input"]) is None, example["name"]


@pytest.mark.parametrize("name", sorted(CREW - CODE_ONLY - {"call-tool", "use-tool", "plan"}))
def test_prompts_are_filled_in_from_the_inputs(name: str) -> None:
    spec = workspace().agent(name)
    extra = {"fields": "- a (string)", "language_name": "English"}
    messages = messages_of(spec, {**examples(name)[0]["input"], **extra})
    assert all("{{" not in message.content for message in messages)


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_a_workflow_can_run_and_its_examples_fit(name: str) -> None:
    entry = workspace().workflows[name]
    specs = {key: item.spec for key, item in workspace().agents.items()}
    check_workflow(entry, specs, toolbox().specs)
    assert entry.spec.examples
    for example in entry.spec.examples:
        assert schema_problem(entry.spec.input, example) is None


def test_the_service_desk_starts_with_an_english_and_a_dutch_message() -> None:
    first, second = workspace().workflow("service-desk").examples[:2]
    assert "Kind regards" in first["text"]
    assert "Met vriendelijke groet" in second["text"]


def test_every_write_of_a_workflow_is_the_last_thing_it_does() -> None:
    for name in WORKFLOWS:
        steps = workspace().workflow(name).steps
        writes = [step for step in steps if step.tool and toolbox().specs[step.tool].effect == "write"]
        assert writes in ([], [steps[-1]])


def test_choose_tool_uses_what_was_calibrated() -> None:
    root = workspace().roots[0]
    result = json.loads((root / "benchmarks" / "choose-tool-calibration" / "result.json").read_text())
    options = workspace().agent("choose-tool").options
    assert options == {"weights": result["weights"], "threshold": result["threshold"]}


# --- what a user adds ------------------------------------------------------------------------------------


def add(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_users_agent_replaces_a_built_in_one_by_name(tmp_path: Path) -> None:
    built_in = workspace().agents["redact"].file.read_text()
    add(
        tmp_path,
        "agents/redact/agent.md",
        built_in.replace("description: Replaces", "description: Mine replaces"),
    )
    add(tmp_path, "agents/redact/answer.py", "async def answer(inputs, call):\n    return None\n")
    both = Workspace((workspace().roots[0], tmp_path))
    assert both.agent("redact").description.startswith("Mine")
    assert both.agent("triage") == workspace().agent("triage")
