"""From answered calls to a generator of one's own: trained, on the shelf, installed, loaded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orchestrator.errors import UserError
from orchestrator.learning import shelf
from orchestrator.learning.examples import Example
from orchestrator.learning.recipes import Recipe
from orchestrator.learning.training import Purpose, train
from orchestrator.runtimes.base import Generator, LoadOptions
from orchestrator.runtimes.registry import load_session
from orchestrator.settings import Settings
from orchestrator.store import ModelStore
from orchestrator.types import Conversion, GenerateRequest, Learns, Message, ModelCard
from orchestrator.workspace import Workspace
from tests.agents.crew import agent
from tests.store.conftest import world
from tests.store.helpers import World, make_card, model_file
from tests.store.test_convert import real_store
from tests.store.tiny_models import TinyDecoder

__all__ = ["world"]
CALLS = Learns(kind="json", answer="arguments")
RECIPE = Recipe(
    name="tiny", description="For tests.", method="generator", base="tiny", max_tokens=512, epochs=1, batch=8,
    rank=2,
)  # fmt: skip
ROOMS = ("blue", "red", "green", "large")
TOOL = {
    "name": "book",
    "parameters": {"type": "object", "properties": {"room": {"type": "string"}}, "required": ["room"]},
}


def examples() -> list[Example]:
    return [_example(n, ROOMS[n % 4]) for n in range(48)]


def _example(n: int, room: str) -> Example:
    return Example(
        text=f"the {room} room at {n}",
        answer={"room": room},
        by="large",
        origin=f"r/{n}",
        given_split="dev" if n % 2 else "train",
        inputs={"tool": TOOL},
    )


@pytest.fixture
def store(world: World) -> ModelStore:
    """A tiny generator, installed from a file of this folder."""
    content = TinyDecoder("llama", context=2048).write_gguf(world.root / "t.gguf").read_bytes()
    card = make_card(
        model_file("model.gguf", content, world.put("model.gguf", content)),
        runtime="genai",
        capabilities=["generate"],
        conversion=Conversion.model_validate({"recipe": "gguf-to-genai", "precision": "native"}),
    )
    made = real_store(world, card)
    made.pull("tiny")
    return made


async def trained(world: World, store: ModelStore, rows: list[Example], learns: Learns = CALLS) -> ModelCard:
    own = Settings(
        cache_dir=world.cache, state_dir=world.root / "state", memory_budget_bytes=10**9, threads=1
    )
    return await train(
        Purpose("calls", "call-tool", agent("call-tool"), learns, {}),
        RECIPE,
        rows,
        store=store,
        settings=own,
        roots=(world.root,),
        work=world.root / "work",
        report=lambda epoch: None,
    )


async def test_a_generator_learns_calls_and_writes(world: World, store: ModelStore) -> None:
    card = await trained(world, store, examples())
    assert (card.name, card.runtime, card.role) == ("calls-1", "genai", "candidate")
    assert card.capabilities == store.cards["tiny"].capabilities
    assert card.specialism is not None
    assert card.specialism.agent == "call-tool"
    folder = world.root / shelf.FOLDER / "calls-1"
    assert {file.name for file in folder.iterdir()} >= {
        "calls-1.yaml",
        "calls-1-f32.yaml",
        "delta.safetensors",
    }

    cards = {**store.cards, "calls-1": card}
    installed = ModelStore(
        world.cache, cards, {"tiny": world.cards, "calls-1": folder}, environ=world.environ
    )
    installed.pull("calls-1")
    session = load_session(card, LoadOptions(folder=installed.folder("calls-1"), threads=1))
    assert isinstance(session, Generator)
    asked = GenerateRequest(messages=(Message(role="user", content="the blue room"),), max_tokens=4)
    assert (await session.generate(asked)).completion_tokens
    await asyncio.to_thread(session.close)


async def test_labels_are_no_work_for_a_generator(world: World, store: ModelStore) -> None:
    labels = Learns(kind="label", answer="label", choices="labels", fixed=())
    with pytest.raises(UserError, match="writes no JSON"):
        await trained(world, store, examples(), labels)
    assert not (world.root / shelf.FOLDER).exists() or not list((world.root / shelf.FOLDER).glob("calls-*"))


def test_the_workspace_reads_what_was_put_there(world: World, store: ModelStore, tmp_path: Path) -> None:
    asyncio.run(trained(world, store, examples()))
    assert "calls-1" in Workspace((world.root,)).cards
