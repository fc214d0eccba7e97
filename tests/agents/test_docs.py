"""Every snippet of docs/agents.md works as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from orchestrator.agent import Call, load_agent
from orchestrator.planning import check_workflow
from orchestrator.tools import ToolContext, load_toolbox
from orchestrator.types import Answer
from orchestrator.workspace import Workspace
from tests.agents.crew import workspace

PAGE = Path(__file__).parent.parent.parent / "docs" / "agents.md"
# A file's name stands in the first line of Python and YAML, and above a block of Markdown.
_NAMED_INSIDE = re.compile(r"^```\w+\n# file: (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED_ABOVE = re.compile(r"^`(\S+)`:\n\n```markdown\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def written(tmp_path: Path) -> Workspace:
    """The page's files in an own workspace, laid over the built-in one."""
    page = PAGE.read_text("utf-8")
    for name, text in [*_NAMED_INSIDE.findall(page), *_NAMED_ABOVE.findall(page)]:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Workspace((*workspace().roots, tmp_path))


async def test_the_tools_work(written: Workspace, tmp_path: Path) -> None:
    toolbox = load_toolbox(written.tool_files)
    context = ToolContext(state_dir=tmp_path / "state", idempotency_key="k")
    assert await toolbox.get("in_stock").call({"item": "Chair"}, context) == {"pieces": 12}
    assert await toolbox.get("reserve").call({"item": "chair", "pieces": 1}, context) == {"reserved": "chair"}
    assert toolbox.specs["reserve"].effect == "write"
    assert (tmp_path / "state" / "reservations.txt").read_text() == "k 1 chair\n"


async def test_the_agents_work(written: Workspace) -> None:
    assert written.problems == []
    counting = load_agent(written.agents["count-words"])
    answer = await counting.answer({"text": "one two"}, Call(counting.spec, None))
    assert answer.output == {"words": 2}
    reading = load_agent(written.agents["item-wanted"])
    for example in yaml.safe_load((written.agents["item-wanted"].folder / "examples.yaml").read_text()):
        assert all(
            check.passed for check in reading.check(example["input"], Answer(output=example["expect"]))
        )
    (*_, check) = reading.check({"text": "a lamp"}, Answer(output={"item": "desk"}))
    assert check.reason == "'desk' is not in the text"


def test_the_workflow_can_run(written: Workspace) -> None:
    specs = {name: entry.spec for name, entry in written.agents.items()}
    check_workflow(written.workflows["order"], specs, load_toolbox(written.tool_files).specs)


def test_the_page_lists_the_crew() -> None:
    text = PAGE.read_text("utf-8")
    assert all(f"| `{name}` |" in text for name in workspace().agents)
    assert all(f"`{name}`" in text for name in workspace().workflows)
