"""A new tool is tried on invented requests: which of them count, and what its card says."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ContentError, UserError
from orchestrator.learning.adding import added, new_tools, others_than
from orchestrator.learning.tool_trial import Request, ToolCard, is_usable, try_tool
from orchestrator.settings import Settings
from orchestrator.types import GenerateRequest, ToolSpec
from orchestrator.workspace import Workspace, builtin_root
from tests.core.world import add_agent, add_model, add_workflow, open_world, write

TOOL = '''
from typing import Literal
from orchestrator.tools import tool

@tool()
def book_room(room: str, people: int, kind: Literal["board", "open"] = "board") -> str:
    """Book a meeting room for so many people."""
    return room
'''
PICK = """
from orchestrator.types import Answer

async def answer(inputs, call):
    tools = {tool["name"]: tool for tool in inputs["tools"]}
    name = "lend_beamer" if "beamer" in inputs["text"] else "book_room"
    return Answer(output={"tool": name, "definition": tools[name]})
"""
FILL = """
from orchestrator.types import Answer

async def answer(inputs, call):
    filled = {"room": "blue  room", "people": 4 if "4" in inputs["text"] else 9}
    return Answer(output={"name": inputs["tool"]["name"], "arguments": filled})
"""
PARTS = ("text", "tool", "tools", "definition", "name", "arguments", "call")
ANY = {"type": "object", "properties": {part: {} for part in PARTS}}
BEAMER = ToolSpec(name="lend_beamer", description="Lend a beamer.", parameters={"type": "object"})
INVENTED: list[dict[str, Any]] = [
    {"message": "the Blue room for 4 please", "arguments": {"room": "Blue room", "people": 4}},
    {"message": "the Blue room for 4 please", "arguments": {"room": "Blue room", "people": 4}},
    {"message": "the Blue room for 5 please", "arguments": {"room": "Blue room", "people": 5}},
    {"message": "a beamer in Blue room for 4", "arguments": {"room": "Blue room", "people": 4}},
    {"message": "some room for 4 please", "arguments": {"room": "Blue room", "people": 4}},
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    add_model(tmp_path, "large", 100, role="reference")
    shutil.copytree(builtin_root() / "agents" / "write-request", tmp_path / "agents" / "write-request")
    for name, code in (("choose-tool", PICK), ("call-tool", FILL)):
        add_agent(tmp_path, name, answer=code, needs=[], input=ANY, output=ANY)
    add_workflow(
        tmp_path,
        "tool-use",
        {
            "choose": {"agent": "choose-tool", "with": {"text": "${task.text}", "tools": "${task.tools}"}},
            "call": {
                "agent": "call-tool",
                "with": {"text": "${task.text}", "tool": "${choose.definition}"},
            },
        },
        {"call": "${call}"},
        input=ANY,
    )
    write(tmp_path, "rooms.py", TOOL)
    return tmp_path


async def tried(root: Path, invented: list[dict[str, Any]]) -> tuple[ToolCard, list[GenerateRequest]]:
    answers = itertools.cycle(map(json.dumps, invented))

    async def reply(request: GenerateRequest) -> str:
        return next(answers)

    (tool,) = new_tools(Workspace((root,)), root / "rooms.py")
    async with open_world(root, {"large": reply}, reference_model="large") as world:
        card = await try_tool(world.controller, tool, [BEAMER], len(invented), lambda done, of: None, "here")
        return card, [request for _, request in world.requests]


async def test_what_a_card_says(root: Path) -> None:
    card, requests = await tried(root, INVENTED)
    assert (card.tool, card.among, card.invented, card.made_by) == ("book_room", 2, 5, "large")
    assert card.n == 3, "the second is the first again, the last does not hold its own room"
    assert (card.chosen, card.called) == (2, 1)
    assert dict(card.took_instead) == {"lend_beamer": 1}
    assert [miss.text for miss in card.misses] == [INVENTED[2]["message"], INVENTED[3]["message"]]
    assert card.chosen_interval.low < 2 / 3 < card.chosen_interval.high
    assert [request.seed for request in requests] == [0, 1, 2, 3, 4], "another number, another message"
    assert all(request.temperature > 0 for request in requests)


async def test_nothing_usable_is_said_and_not_a_card(root: Path) -> None:
    with pytest.raises(UserError, match="no usable request for 'book_room'"):
        await tried(root, INVENTED[4:])


@pytest.mark.parametrize(
    ("text", "arguments", "holds"),
    [
        ("Blue room for four, well, 4", {"room": "blue room", "people": 4}, True),
        ("an open one: Blue room, 4 of us", {"room": "Blue room", "people": 4, "kind": "open"}, True),
        ("Blue room, 4 of us", {"room": "Blue room", "people": 4, "kind": "open"}, True),
        ("Blue room", {"room": "Blue room", "people": 4}, False),
        ("Blue room for 4. Regards, [Your Name]", {"room": "Blue room", "people": 4}, False),
    ],
)
def test_a_request_holds_the_values_of_its_call(
    root: Path, text: str, arguments: dict[str, Any], holds: bool
) -> None:
    (tool,) = new_tools(Workspace((root,)), root / "rooms.py")
    assert is_usable(Request(text, arguments), tool) is holds


def test_an_added_file_is_among_the_tools(root: Path) -> None:
    workspace = Workspace((root,))
    (tool,) = new_tools(workspace, root / "rooms.py")
    settings = Settings(cache_dir=root / "cache", state_dir=root / "state", memory_budget_bytes=1)
    assert [spec.name for spec in others_than(workspace, BEAMER, [tool])] == ["book_room"]
    assert added(workspace, settings, root / "rooms.py", []).read_text("utf-8") == TOOL
    assert root / "agents" / "rooms" / "tools.py" in Workspace((root,)).tool_files


def test_a_file_that_is_there_already_is_not_lost(root: Path) -> None:
    workspace = Workspace((root,))
    write(root, "agents/rooms/tools.py", TOOL + "\n# mine\n")
    with pytest.raises(UserError, match="is there already, with other tools") as refused:
        new_tools(workspace, root / "rooms.py")
    assert refused.value.hint is not None
    assert refused.value.hint.startswith("Rename rooms.py")
    write(root, "agents/rooms/tools.py", TOOL)
    assert new_tools(workspace, root / "rooms.py"), "the same once more is tried once more"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("rooms.txt", TOOL, "no Python file"),
        ("absent.py", None, "no Python file"),
        ("empty.py", "x = 1\n", "no function here is declared"),
        ("broken.py", "def (\n", "SyntaxError"),
        ("exits.py", f"{TOOL}\nraise SystemExit(0)\n", r"exits.py:\d+: it ends the process when it is read"),
        ("raises.py", f"{TOOL}\nraise ValueError('no key')\n", r"raises.py:\d+: ValueError: no key"),
        ("silent.py", TOOL.replace('"""Book a meeting room for so many people."""', "pass"), "no docstring"),
    ],
)
def test_what_cannot_be_added_is_refused_before_anything_is_tried(
    root: Path, name: str, text: str | None, said: str
) -> None:
    if text is not None:
        write(root, name, text)
    with pytest.raises((UserError, ContentError), match=said):
        new_tools(Workspace((root,)), root / name)
    assert not list((root / "agents").glob("*/tools.py"))
