"""The reference points measure the product's prompt, and each variant differs in one thing."""

from __future__ import annotations

import pytest

from orchestrator.agent import Call, load_agent
from orchestrator.bench.reference_points import points_workspace
from orchestrator.bench.spec import read_benchmark
from orchestrator.errors import ModelError
from orchestrator.runtimes.scripted import ScriptedSession
from orchestrator.types import Json, ModelCard
from orchestrator.workspace import builtin_root
from tests.bench.helpers import make_case

WORKSPACE = points_workspace(builtin_root())
BENCHMARK = read_benchmark(WORKSPACE.roots, "bfcl-simple")
CARD = ModelCard(
    name="fake",
    description="",
    licence="",
    origin="",
    runtime="scripted",
    capabilities=frozenset({"generate", "json-schema"}),
)


async def ask(agent: str, reply: str) -> tuple[Json, ScriptedSession]:
    session = ScriptedSession(CARD, [reply])
    loaded = load_agent(WORKSPACE.agents[agent])
    answer = await loaded.answer(BENCHMARK.arms[0].task(make_case(1)).input, Call(loaded.spec, session))
    return answer.output, session


@pytest.mark.parametrize("variant", ["call-tool-free", "call-tool-held"])
def test_a_variant_has_the_very_prompt_of_the_product(variant: str) -> None:
    product, other = WORKSPACE.agent("call-tool"), WORKSPACE.agent(variant)
    assert (other.system, other.user, other.max_tokens) == (product.system, product.user, product.max_tokens)
    assert other.retries == 0


def test_the_benchmark_names_agents_and_models_that_exist() -> None:
    assert {arm.agent for arm in BENCHMARK.arms} <= set(WORKSPACE.agents)
    assert set(BENCHMARK.models) <= set(WORKSPACE.cards)
    assert {arm.route.removeprefix("fixed:") for arm in BENCHMARK.arms} == set(BENCHMARK.models)


async def test_only_the_constraint_differs() -> None:
    reply = '{"place": "Ghent"}'
    free, asked_free = await ask("call-tool-free", reply)
    held, asked_held = await ask("call-tool-held", reply)
    assert free == held == {"name": "weather.at", "arguments": {"place": "Ghent"}}
    (one,), (other,) = asked_free.requests, asked_held.requests
    assert one.json_schema is None
    assert other.json_schema is not None
    assert one.model_copy(update={"json_schema": other.json_schema}) == other


@pytest.mark.parametrize("reply", ['Sure!\n```json\n{"place": "Ghent"}\n```', '{"place": "Ghent"} is right.'])
async def test_a_fence_or_a_sentence_around_free_json_is_forgiven(reply: str) -> None:
    output, _ = await ask("call-tool-free", reply)
    assert output["arguments"] == {"place": "Ghent"}


@pytest.mark.parametrize("reply", ["I cannot.", '{"place": ', "[1]"])
async def test_free_text_without_an_object_is_the_models_error(reply: str) -> None:
    with pytest.raises(ModelError, match="no JSON object"):
        await ask("call-tool-free", reply)
