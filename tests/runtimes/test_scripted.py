"""The fake does what it is told, the same way each time."""

from __future__ import annotations

import time

import jsonschema
import numpy as np
import pytest

from orchestrator.errors import ModelError
from orchestrator.runtimes.base import Embedder, Generator, LanguageDetector
from orchestrator.runtimes.scripted import ScriptedSession, smallest
from tests.runtimes.helpers import ask, card
from tests.runtimes.schemas import SCHEMAS


def test_it_offers_all_three_kinds_of_call() -> None:
    session = ScriptedSession(card())
    assert isinstance(session, Generator)
    assert isinstance(session, Embedder)
    assert isinstance(session, LanguageDetector)


async def test_a_list_of_answers_is_used_in_turn_and_the_last_one_stays() -> None:
    session = ScriptedSession(card(), ["one", "two"])
    assert [(await session.generate(ask())).text for _ in range(3)] == ["one", "two", "two"]


async def test_a_mapping_answers_by_a_part_of_the_message() -> None:
    session = ScriptedSession(
        card(options={"reply": "no idea"}), {"invoice": "billing", "crash": "technical"}
    )
    texts = [(await session.generate(ask(text))).text for text in ("an invoice", "it crashed", "hello")]
    assert texts == ["billing", "technical", "no idea"]


async def test_a_function_answers_from_the_request() -> None:
    session = ScriptedSession(card(), lambda request: request.messages[-1].content.upper())
    assert (await session.generate(ask("loud"))).text == "LOUD"
    assert session.requests == [ask("loud")]


async def test_without_anything_else_it_repeats_the_message() -> None:
    assert (await ScriptedSession(card()).generate(ask("  as  is \n"))).text == "  as  is \n"


BEYOND_IT = {"a pattern", "a pattern anywhere", "a reference", "a map", "a tuple", "all of"}


@pytest.mark.parametrize("name", sorted(set(SCHEMAS) - BEYOND_IT))
def test_a_schema_gets_a_value_that_fits(name: str) -> None:
    jsonschema.validate(smallest(SCHEMAS[name]), SCHEMAS[name])


async def test_it_streams_and_counts_words() -> None:
    told: list[str] = []
    reply = await ScriptedSession(card(), ["a b c"]).generate(ask("one two", logprobs=True), told.append)
    assert told == ["a", " b", " c"]
    assert (reply.prompt_tokens, reply.completion_tokens, reply.finish) == (2, 3, "stop")
    assert reply.logprobs == (0.0, 0.0, 0.0)


async def test_budget_stop_and_truncation() -> None:
    session = ScriptedSession(card(), ["a b c d"])
    assert (await session.generate(ask(max_tokens=2))).finish == "length"
    stopped = await session.generate(ask(stop=("c",)))
    assert (stopped.text, stopped.finish) == ("a b ", "stop")
    cut = await ScriptedSession(card(options={"truncate": True}), ["a b c d"]).generate(ask())
    assert (cut.text, cut.finish) == ("a b", "length")


async def test_it_fails_and_dawdles_when_told_to() -> None:
    with pytest.raises(ModelError, match="out of order"):
        await ScriptedSession(card(options={"fail": "out of order"})).generate(ask())
    started = time.perf_counter()
    await ScriptedSession(card(options={"delay_s": 0.05})).generate(ask())
    assert time.perf_counter() - started >= 0.05


async def test_a_closed_session_answers_nothing() -> None:
    session = ScriptedSession(card())
    session.close()
    with pytest.raises(ModelError, match="closed"):
        await session.embed(["a"])


async def test_embeddings_are_closer_for_texts_with_common_words() -> None:
    session = ScriptedSession(card(options={"dimensions": 256}))
    made = await session.embed(["the printer is broken", "my printer is broken", "a refund please", ""])
    again = await session.embed(["the printer is broken"])
    assert made.vectors.shape == (4, 256)
    assert np.linalg.norm(made.vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-6)
    assert made.vectors[0] @ made.vectors[1] > made.vectors[0] @ made.vectors[2]
    assert np.array_equal(again.vectors[0], made.vectors[0])
    assert (await session.embed([])).vectors.shape == (0, 256)


async def test_the_language_is_the_cards() -> None:
    (found,) = await ScriptedSession(card(options={"language": "nl"})).detect(["goedemorgen"])
    assert (found.code, found.probability) == ("nl", 1.0)
