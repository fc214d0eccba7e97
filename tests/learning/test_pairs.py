"""A choice is learnt as pairs: what choose-tool asks about each tool; from there to an int8 specialist."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.controller import open_controller
from orchestrator.errors import ContentError, UserError
from orchestrator.learning import shelf
from orchestrator.learning.examples import Example
from orchestrator.learning.incumbent import untrained
from orchestrator.learning.pair_training import is_chosen
from orchestrator.learning.pairs import pairs_of
from orchestrator.learning.project import FileSource
from orchestrator.learning.recipes import Recipe
from orchestrator.learning.rows import collect_file
from orchestrator.learning.scrub import Raw, scrub
from orchestrator.learning.training import Purpose, train
from orchestrator.settings import load_settings
from orchestrator.store import ModelStore
from orchestrator.types import Json, Task
from orchestrator.workspace import Workspace, builtin_root
from tests.agents.crew import agent, workspace

CHOOSE = agent("choose-tool")
assert CHOOSE.spec.learns is not None
LEARNS = CHOOSE.spec.learns
CARD = workspace().card("minilm-l6")
ROOMS, DOES = ("blue", "red", "green", "large"), ("book", "clean", "paint", "lock")


def tool(does: str) -> dict[str, str]:
    return {"name": f"{does}_room", "description": f"{does.title()} a meeting room"}


def example(n: int, does: str | None) -> Example:
    """Each text names a room, and what is to be done with it; None: nothing that there is a tool for."""
    return Example(
        text=f"Please {does or 'forget'} the {ROOMS[n % 4]} room at {n}.",
        answer=f"{does}_room" if does else None,
        by="file",
        origin=f"rooms:{n}",
        given_split=("train", "train", "dev", "test")[n // 4 % 4],
        inputs={"tools": [tool(each) for each in DOES]},
    )


ROOMS_ASKED = [example(n, (*DOES, None)[n % 5]) for n in range(160)]


async def test_a_pair_for_each_tool_as_the_agent_asks() -> None:
    pairs = await pairs_of(CHOOSE, LEARNS, {}, ROOMS_ASKED[0], CARD)
    assert [pair.right for pair in pairs] == [True, False, False, False]
    assert {pair.text for pair in pairs} == {ROOMS_ASKED[0].text}
    assert "Paint a meeting room" in pairs[2].candidate


@pytest.mark.parametrize(
    ("tools", "answer", "said"),
    [
        ([], "book_room", "there is nothing to choose from"),
        (5, "book_room", "there is nothing to choose from"),
        ([{"description": "Book a room"}], "book_room", "there is nothing to choose from"),
        ([tool("book"), tool("paint")], "bok_room", "'bok_room' is 0 of the 2 candidates"),
        ([tool("book"), tool("book")], "book_room", "'book_room' is 2 of the 2 candidates"),
        (["book_room", "paint_room"], "book_room", "is not of type 'object'"),
    ],
)
async def test_a_row_that_is_no_choice(tools: Any, answer: str, said: str) -> None:
    wrong = ROOMS_ASKED[0].model_copy(update={"inputs": {"tools": tools}, "answer": answer})
    with pytest.raises(UserError, match=f"rooms:0: .*{re.escape(said)}") as refused:
        await pairs_of(CHOOSE, LEARNS, {}, wrong, CARD)
    assert refused.value.hint


def test_a_file_is_refused_at_the_line_that_is_no_choice(tmp_path: Path) -> None:
    file = tmp_path / "rooms.jsonl"
    rows = [
        {"text": "Book it", "label": name, "inputs": {"tools": [tool("book"), tool("paint")]}}
        for name in ("book_room", None, "bok_room")
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = FileSource(path=file, sha256="", text="text", label="label")
    with pytest.raises(ContentError, match=r"rooms.jsonl:3: 'bok_room' is 0 of the 2"):
        collect_file("rooms", CHOOSE.spec, LEARNS, source)


async def test_what_is_no_choice_any_more_is_left_out() -> None:
    """A name that is taken out of the candidates is still in the answer."""
    tools = [{"name": "Jan Jansen"}, {"name": "Marie"}]
    raws = [Raw("Call Jan Jansen", "Jan Jansen", "file", "f:1", inputs={"tools": tools})]

    async def redact(text: str) -> list[Json]:
        at = text.find("Jan Jansen")
        return [] if at < 0 else [{"kind": "NAME", "start": at, "end": at + len("Jan Jansen")}]

    kept, report = await scrub(raws, LEARNS, redact)
    assert not kept
    assert sum(report.left_out.values()) == 1


def test_who_does_it_without_a_specialist() -> None:
    """The reference writes and does not embed, which choose-tool asks for."""
    cards, reference = workspace().cards, "qwen2.5-coder-1.5b"
    assert untrained(CHOOSE.spec.needs, cards, reference) == "minilm-l6"
    assert untrained(frozenset({"generate"}), cards, reference) == reference


@pytest.mark.parametrize(
    ("scores", "right", "chosen"),
    [
        ([2.0, -1.0, 0.5], [True, False, False], True),
        ([0.5, -1.0, 2.0], [True, False, False], False),
        ([-0.5, -1.0, -2.0], [True, False, False], False),  # none is more likely to fit than not
        ([-0.5, -1.0, -2.0], [False, False, False], True),
        ([0.5, -1.0, -2.0], [False, False, False], False),
    ],
)
def test_the_best_of_those_that_fit_is_chosen(
    scores: Sequence[float], right: Sequence[bool], chosen: bool
) -> None:
    assert is_chosen(np.array(scores, dtype=np.float32), right) == chosen


async def test_a_specialist_that_chooses(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained, put on the shelf, installed as int8, and asked through the controller."""
    monkeypatch.setenv("LILLIPUT_CACHE_DIR", str(cache))
    monkeypatch.setenv("LILLIPUT_STATE_DIR", str(tmp_path / "state"))
    settings = load_settings().settings
    recipe = Recipe(
        name="pairs", description="", method="encoder", base="minilm-l6", epochs=4, batch=16, rank=8,
        max_tokens=64,
    )  # fmt: skip
    base = ModelStore(settings.cache_dir, {"minilm-l6": CARD})
    card = await train(
        Purpose("rooms", "choose-tool", CHOOSE, LEARNS, {}),
        recipe,
        ROOMS_ASKED,
        store=base,
        settings=settings,
        roots=(tmp_path,),
        work=tmp_path / "work",
        report=lambda epoch: None,
    )
    assert card.capabilities == {"score-pairs"}
    assert (tmp_path / shelf.FOLDER / "rooms-1" / "delta.safetensors").is_file()

    tested = [each for each in ROOMS_ASKED if each.split == "test"]
    async with open_controller(Workspace((builtin_root(), tmp_path)), settings) as controller:
        controller.store.pull("rooms-1")
        right = 0
        for each in tested:
            task = Task(agent="choose-tool", input=each.as_input(LEARNS, {}), route="fixed:rooms-1")
            result = await controller.run_to_end(task)
            right += result.answer["tool"] == each.answer
    assert right >= 0.9 * len(tested)
