"""The labelling agent: what it shows a model, and the two ways in which no label comes back."""

from __future__ import annotations

import math
from typing import Any

import pytest

from orchestrator.runtimes.base import OnText
from orchestrator.runtimes.scripted import ScriptedSession
from orchestrator.types import GenerateRequest, Generation, ModelCard
from tests.agents.crew import ask, fake_card, says

INPUTS: dict[str, Any] = {"text": "Where is my payslip?", "labels": ["pay", "leave"]}


class Unsure(ScriptedSession):
    """Chooses `pay` with a probability that a test names."""

    def __init__(self, probability: float) -> None:
        card = fake_card() | {"capabilities": ["generate", "json-schema", "logprobs"]}
        super().__init__(ModelCard.model_validate(card), ['{"label": "pay"}'])
        self._probability = probability

    async def generate(self, request: GenerateRequest, on_text: OnText | None = None) -> Generation:
        reply = await super().generate(request, on_text)
        return reply.model_copy(update={"choice_logprobs": (math.log(self._probability),)})


async def test_labels_come_first_and_are_all_that_may_be_said() -> None:
    model = says({"label": "pay"})
    asked = await ask("label", INPUTS, model)
    assert asked.output == {"label": "pay"}
    (request,) = model.requests
    assert request.json_schema is not None
    assert request.json_schema["properties"]["label"] == {"enum": ["pay", "leave"]}
    prompt = request.messages[-1].content
    assert prompt.startswith("Labels: pay, leave\n")
    assert prompt.endswith(INPUTS["text"])


async def test_that_none_fits_is_shown_as_a_label_and_given_back_as_null() -> None:
    model = says({"label": "none of these"})
    examples = [{"text": "Hi", "label": None}, {"text": "A day off?", "label": "leave"}]
    asked = await ask("label", INPUTS | {"no_label": "none of these", "examples": examples}, model)
    assert asked.output == {"label": None}
    (request,) = model.requests
    assert request.json_schema is not None
    assert request.json_schema["properties"]["label"] == {"enum": ["pay", "leave", "none of these"]}
    prompt = request.messages[-1].content
    assert prompt.startswith("Labels: pay, leave, none of these\n")
    assert 'Hi\n{"label": "none of these"}\n' in prompt


@pytest.mark.parametrize(("probability", "expected"), [(0.4, None), (0.6, "pay")])
async def test_below_its_confidence_it_declines(probability: float, expected: str | None) -> None:
    asked = await ask("label", INPUTS | {"min_confidence": 0.5}, Unsure(probability))
    assert asked.output == {"label": expected}
    assert asked.answer.confidence == pytest.approx(probability, abs=0.01)
    assert not asked.refused


async def test_without_a_threshold_it_never_does() -> None:
    assert (await ask("label", INPUTS, Unsure(0.01))).output == {"label": "pay"}
