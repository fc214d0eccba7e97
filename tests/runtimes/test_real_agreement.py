"""ONNX against torch with the same published weights, through the same decode loop."""

from __future__ import annotations

import pytest

from orchestrator.runtimes.generation import NativeGenerator
from tests.runtimes.conftest import RealModels
from tests.runtimes.helpers import ask
from tests.runtimes.schemas import SCHEMAS

pytestmark = pytest.mark.real

PROMPTS = [
    "What is the capital of Belgium?",
    "Name a fruit that is yellow.",
    "How many days has a week?",
    "Translate to Dutch: good morning.",
    "Mijn printer doet het niet. Wat nu?",
    "Write one sentence about the sea.",
    "What is 12 plus 30?",
    "Who wrote Hamlet?",
    "Give a synonym of 'quick'.",
    "Is water wet? Answer yes or no.",
    "Summarise: the meeting was moved from Monday to Thursday at 10.",
    "Classify as billing or technical: my invoice is wrong.",
    "Wat is het btw-tarief op boeken?",
    "Complete: roses are red, violets are",
    "Write a Python function that adds two numbers.",
    "List three colours.",
    "What does HTTP stand for?",
    "Extract the name: 'Regards, Marie Dupont'.",
    "Explain what an invoice is to a child.",
    "€5 🎉 日本語: what are these?",
]


def generator(real: RealModels, name: str) -> NativeGenerator:
    session = real.session(name)
    assert isinstance(session, NativeGenerator)
    return session


async def test_greedy_first_tokens_agree_on_twenty_prompts(real: RealModels) -> None:
    onnx = generator(real, "smollm2-135m-f32")
    torch = generator(real, "smollm2-135m-f32-torch")
    for text in PROMPTS:
        request = ask(text, max_tokens=2, logprobs=True)
        assert onnx._prompt(request) == torch._prompt(request)
        here, there = await onnx.generate(request), await torch.generate(request)
        assert here.text == there.text
        assert here.logprobs == pytest.approx(there.logprobs, abs=2e-3)


async def test_a_constrained_answer_agrees_too(real: RealModels) -> None:
    request = ask("Jan wants 3 days in celsius.", json_schema=SCHEMAS["three fields"], logprobs=True)
    here = await generator(real, "smollm2-135m-f32").generate(request)
    there = await generator(real, "smollm2-135m-f32-torch").generate(request)
    assert (here.text, here.finish) == (there.text, there.finish)
    assert here.logprobs == pytest.approx(there.logprobs, abs=5e-3)
