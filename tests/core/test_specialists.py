"""Specialists in routing: only for their own task, only when promoted, and from a proven threshold on."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agent import defining_hashes
from orchestrator.store import ModelStore
from orchestrator.store.files import folder_hash, hash_of
from orchestrator.types import GenerateRequest, Generation, Learns, Task
from orchestrator.workspace import Workspace
from tests.core.world import Reply, add_agent, add_model, open_world, says, write

LEARNS = {"kind": "label", "answer": "text", "choices": "labels", "fixed": ["labels", "tone"]}
INPUT = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "labels": {"type": "array"}, "tone": {"type": "string"}},
    "required": ["text"],
}
TASK = {"text": "hello", "labels": ["b", "a"]}


def sure(confidence: float, text: str = "small") -> Reply:
    async def reply(request: GenerateRequest) -> Generation:
        return Generation(
            text=json.dumps({"text": text}), finish="stop", prompt_tokens=3, completion_tokens=2,
            duration_s=0.0, choice_logprobs=(math.log(confidence),),
        )  # fmt: skip

    return reply


def specialist(
    root: Path,
    name: str = "own-1",
    *,
    agent: str = "guess",
    fixed: dict[str, str] | None = None,
    kinds: Sequence[str] = (),
    **fields: Any,
) -> None:
    two = {"labels": hash_of(["a", "b"]), "tone": hash_of(None)}
    trained = {
        "agent": agent, "base": "small", "recipe": "head", "recipe_hash": "1", "data_hash": "2",
        "fixed": two if fixed is None else fixed, "kinds": list(kinds), "trained_at": "2026-11-23",
    }  # fmt: skip
    add_model(root, name, 1, capabilities=["classify", "logprobs"], specialism=trained, **fields)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    capabilities = ["generate", "json-schema", "logprobs"]
    add_model(tmp_path, "small", 10, capabilities=capabilities)
    add_model(tmp_path, "large", 100, capabilities=capabilities, role="reference")
    add_agent(tmp_path, "guess", min_confidence=0.5, retries=0, learns=LEARNS, input=INPUT)
    add_agent(tmp_path, "other", input=INPUT, learns=LEARNS)
    return tmp_path


def calibrate(root: Path, model: str, threshold: float, **fields: Any) -> None:
    learns = Learns.model_validate(LEARNS)
    found = {
        "agent": "guess",
        "agent_hash": folder_hash(root / "agents" / "guess"),
        "model": model,
        "model_key": ModelStore(root, Workspace((root,)).cards).key(model),
        "fixed": defining_hashes(learns, TASK),
        "guarantee": {
            "threshold": threshold, "max_wrong": 0.05, "delta": 0.05, "n": 412, "accepted": 300, "wrong": 4,
            "wrong_at_most": 0.03,
        },
        "baseline": {"edges": [0.5], "counts": [1, 1]},
        "judged_by": "file",
        "made_at": "2026-11-23",
        **fields,
    }  # fmt: skip
    write(root, "models/calibrated/guess.yaml", json.dumps({"name": "guess", "calibrations": [found]}))


async def models_asked(
    root: Path, replies: dict[str, Reply], inputs: dict[str, Any], agent: str = "guess"
) -> list[str]:
    async with open_world(root, replies) as world:
        _, steps, _ = await world.run(Task(agent=agent, input=inputs))
        return [str(step.model) for step in steps]


async def test_a_specialist_answers_its_own_task_first(root: Path) -> None:
    specialist(root)
    replies = {"own-1": sure(0.9), "small": says("small"), "large": says("large")}
    assert await models_asked(root, replies, TASK) == ["own-1"]
    assert await models_asked(root, replies, {**TASK, "labels": ["a", "b"]}) == ["own-1"], "a set, not a list"


async def test_a_promoted_one_is_evidence_enough(root: Path) -> None:
    specialist(root)
    async with open_world(root, {"own-1": sure(0.9), "large": says("large")}) as world:
        _, (step,), _ = await world.run(Task(agent="guess", input=TASK, route="smallest-capable"))
        assert step.model == "own-1"
        assert step.route is not None
        assert "passed its gate" in step.route.reason
        _, (other,), _ = await world.run(Task(agent="other", input=TASK, route="smallest-capable"))
        assert other.model == "large"


@pytest.mark.parametrize(
    ("inputs", "agent", "reason"),
    [
        ({**TASK, "labels": ["a", "c"]}, "guess", "trained for other labels"),
        ({**TASK, "tone": "kind"}, "guess", "trained for other tone"),
        ({"text": "hello"}, "guess", "trained for other labels"),
        (TASK, "other", "a specialist for agent guess, cannot answer another"),
    ],
    ids=["another label", "another input", "no labels", "another agent"],
)
async def test_it_answers_no_other_task(root: Path, inputs: dict[str, Any], agent: str, reason: str) -> None:
    specialist(root)
    async with open_world(root, {"small": sure(0.9), "large": says("large")}) as world:
        _, (step,), _ = await world.run(Task(agent=agent, input=inputs))
    assert step.model == "small"
    assert step.route is not None
    assert {r.model: r.reason for r in step.route.rejected}["own-1"] == reason


@pytest.mark.parametrize(
    ("kinds", "model"),
    [(["city"], "own-1"), (["date", "city"], "own-1"), (["city", "price"], "small")],
    ids=["some of its kinds", "all of them", "one that it does not know"],
)
async def test_one_that_marks_kinds_answers_for_any_part_of_them(
    root: Path, kinds: list[str], model: str
) -> None:
    learns = {"kind": "spans", "answer": "text", "choices": "labels", "fixed": ["labels"]}
    add_agent(root, "mark", min_confidence=0.5, retries=0, learns=learns, input=INPUT)
    specialist(root, agent="mark", fixed={}, kinds=["city", "date"])
    replies = {"own-1": sure(0.9), "small": sure(0.9), "large": says("large")}
    async with open_world(root, replies) as world:
        _, (step,), _ = await world.run(Task(agent="mark", input={**TASK, "labels": kinds}))
    assert step.model == model
    assert step.route is not None
    reasons = {each.model: each.reason for each in step.route.rejected}
    assert reasons.get("own-1") == (None if model == "own-1" else "not trained to mark price")


async def test_a_candidate_answers_only_by_name(root: Path) -> None:
    specialist(root, role="candidate")
    replies = {"own-1": sure(0.9, "own"), "small": sure(0.9), "large": says("large")}
    async with open_world(root, replies) as world:
        _, (step,), _ = await world.run(Task(agent="guess", input=TASK))
        assert step.model == "small"
        result, _, _ = await world.run(Task(agent="guess", input=TASK, route="fixed:own-1"))
        assert result.answer == {"text": "own"}


@pytest.mark.parametrize(
    ("threshold", "confidence", "asked"),
    [
        (0.3, 0.4, ["small"]),  # the agent itself asks for 0.5
        (0.8, 0.7, ["small", "large"]),
        (0.7, 0.7, ["small"]),
    ],
)
async def test_a_proven_threshold_takes_the_place_of_the_agents(
    root: Path, threshold: float, confidence: float, asked: list[str]
) -> None:
    calibrate(root, "small", threshold)
    assert await models_asked(root, {"small": sure(confidence), "large": says("large")}, TASK) == asked


async def test_the_promise_is_told(root: Path) -> None:
    calibrate(root, "small", 0.8)
    async with open_world(root, {"small": sure(0.7), "large": says("large")}) as world:
        _, (step, _), _ = await world.run(Task(agent="guess", input=TASK))
    assert step.decision is not None
    assert step.decision.reason == (
        "confidence: 0.70 is below 0.80, from where at most 5% are wrong (n = 412)"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"agent_hash": "another"},
        {"model_key": "another"},
        {"fixed": {"labels": "another"}},
    ],
    ids=["agent", "weights", "task"],
)
async def test_a_promise_ends_when_what_it_rests_on_changes(root: Path, changed: dict[str, Any]) -> None:
    calibrate(root, "small", 0.3, **changed)
    replies = {"small": sure(0.4), "large": says("large")}
    assert await models_asked(root, replies, TASK) == ["small", "large"]


@pytest.mark.parametrize(
    ("policy", "confidence", "asked"),
    [
        ("budget:0%", 0.1, ["small"]),
        ("budget:9%", 0.1, ["small"]),
        ("budget:10%", 0.55, ["small", "large"]),
        ("budget:10%", 0.65, ["small"]),
        ("budget:40%", 0.65, ["small", "large"]),
        ("cascade", 0.25, ["small", "large"]),
    ],
)
async def test_a_budget_is_spent_on_the_least_sure_answers(
    root: Path, policy: str, confidence: float, asked: list[str]
) -> None:
    rows = [
        {"share": 0.0, "threshold": 0.0},
        {"share": 0.1, "threshold": 0.6},
        {"share": 0.3, "threshold": 0.7},
    ]
    counts = {"accepted": 300, "wrong": 4, "wrong_at_most": 0.03}
    calibrate(root, "small", 0.3, spent=[row | counts for row in rows])
    async with open_world(root, {"small": sure(confidence), "large": says("large")}) as world:
        _, steps, _ = await world.run(Task(agent="guess", input=TASK, route=policy))
    assert [step.model for step in steps] == asked
    if policy == "budget:10%" and len(asked) == 2:
        assert steps[0].decision is not None
        assert steps[0].decision.reason == "confidence: 0.55 is below 0.60, as 10 % of its answers were"
