"""Content files: what is malformed is named with file and line; a user's own wins by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator import planning
from orchestrator.agent import load_agent
from orchestrator.errors import ContentError, UnknownName, UserError
from orchestrator.tools import load_toolbox
from orchestrator.workspace import Workspace, builtin_root, find_workspace
from tests.core.world import add_agent

CARD = """\
name: tiny
description: A tiny model.
licence: Apache-2.0
origin: here
runtime: scripted
capabilities: [generate]
"""
AGENT = """\
---
name: echo
description: Say it again.
needs: [generate]
input:
  type: object
  properties:
    text: {type: string}
  required: [text]
output: {type: object}
---
# System
Repeat.

# User
{{ text }}
"""
WORKFLOW = """\
name: twice
description: Say it twice.
input:
  type: object
  properties:
    text: {type: string}
  required: [text]
steps:
  first:
    agent: echo
    with: {text: "${task.text}"}
  second:
    agent: echo
    with: {text: "${first.text}"}
answer: "${second}"
"""
GENAI = CARD.replace("scripted", "genai")


def write(root: Path, name: str, text: str) -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


@pytest.fixture
def good(tmp_path: Path) -> Path:
    write(tmp_path, "models/tiny.yaml", CARD)
    write(tmp_path, "agents/echo/agent.md", AGENT)
    write(tmp_path, "configs/workflows/twice.yaml", WORKFLOW)
    return tmp_path


def complaint(root: Path) -> ContentError:
    """The one error that this content gives, wherever it is found: reading, loading code, or planning."""
    with pytest.raises(ContentError) as raised:
        use_everything(Workspace((root,)))
    return raised.value


def use_everything(workspace: Workspace) -> None:
    workspace.insist()
    toolbox = load_toolbox(workspace.tool_files)
    for entry in workspace.agents.values():
        load_agent(entry)
    agents = {name: entry.spec for name, entry in workspace.agents.items()}
    for entry in workspace.workflows.values():
        planning.check_workflow(entry, agents, toolbox.specs)


def test_good_content_is_read(good: Path) -> None:
    workspace = Workspace((good,))
    workspace.insist()
    assert workspace.card("tiny").licence == "Apache-2.0"
    assert workspace.agent("echo").system == "Repeat."
    assert workspace.agent("echo").user == "{{ text }}"
    assert [step.id for step in workspace.workflow("twice").steps] == ["first", "second"]


def _learning(learns: str) -> str:
    """The agent with a way to be learnt."""
    output = "output: {type: object, properties: {said: {type: string}}}"
    return AGENT.replace("output: {type: object}", f"{output}\nlearns: {learns}")


CARDS = [
    (CARD.replace("licence: Apache-2.0\n", ""), 1, "`licence` is missing"),
    (CARD.replace("origin: here", "orign: here"), 4, "`orign` is not a known field; there is: "),
    (CARD.replace("name: tiny", "name: other"), 1, "must equal the name of its file or folder, 'tiny'"),
    (CARD.replace("[generate]", "[fly]"), 6, "Input should be 'generate'"),
    (CARD + "context_tokens: many\n", 7, "valid integer"),
    (CARD + "licence: MIT\n", 7, "'licence' is given twice"),
    (CARD + "memory_bytes: [1\n", 8, "not YAML"),
    ("- a\n- b\n", 1, "expected `name: value` lines"),
    (GENAI, 1, "a genai model needs `files:`"),
    (
        GENAI
        + "files:\n  - name: ../x\n    parts: [file:x]\n    sha256: "
        + "0" * 64
        + "\n    size_bytes: 1\n",
        8,
        "without '..'",
    ),
    (
        GENAI + "files:\n  - name: x\n    parts: [ftp:x]\n    sha256: " + "0" * 64 + "\n    size_bytes: 1\n",
        9,
        "is no source",
    ),
    (
        GENAI + "files:\n  - name: x\n    parts: [file:x]\n    sha256: abc\n    size_bytes: 1\n",
        10,
        "String should match",
    ),
    (CARD.replace("scripted", "remote"), 1, "needs `remote:`"),
]
AGENTS = [
    ("no front matter\n", 1, "must start with YAML"),
    (AGENT.replace("needs: [generate]", "needs: [genrate]"), 4, "Input should be 'generate'"),
    (AGENT.replace("  type: object\n  prop", "  type: objet\n  prop"), 6, "is not a JSON schema"),
    (AGENT.replace("output: {type: object}\n", ""), 2, "`output` is missing"),
    (AGENT.replace("output: {type: object}", "output_from: schema"), 10, "is not one of the inputs"),
    (_learning("{kind: label, answer: label}"), 11, "which is no output"),
    (
        _learning("{kind: json, answer: said, text: words}"),
        11,
        "`learns: text` names 'words', which is no input",
    ),
    (_learning("{kind: json, answer: said, fixed: [tone]}"), 11, "names 'tone', which is no input"),
    (_learning("{kind: song, answer: said}"), 11, "Input should be 'label'"),
    (AGENT.replace("# System\n", "Hello\n# System\n"), 12, "text before the `# System`"),
    (AGENT.split("# System")[0], 2, "neither a `# User` prompt nor an answer.py"),
    (AGENT.replace("name: echo", "name: ehco"), 2, "must equal the name of its file or folder, 'echo'"),
    (AGENT.replace("description: Say", "description:\n   - Say"), 3, "valid string"),
]
WORKFLOWS = [
    (WORKFLOW.replace("echo", "ecco", 1), 10, "no agent is called 'ecco'"),
    (WORKFLOW.replace("${first.text}", "${third.text}"), 12, "refers to ${third}"),
    (WORKFLOW.replace("${task.text}", "${second.text}"), 8, "in a circle: first -> second -> first"),
    (WORKFLOW.replace('with: {text: "${task.text}"}', "with: {}"), 11, "needs the input 'text'"),
    (WORKFLOW.replace("    agent: echo\n", "", 1), 9, "exactly one of `agent` and `tool`"),
    (WORKFLOW.replace("${task.text}", "${values.x}"), 1, "`values:` has no 'x'"),
    (WORKFLOW.replace("  first:", "  First:"), 9, "String should match"),
    (WORKFLOW.replace("steps:", "stepps:"), 8, "`stepps` is not a known field"),
    (WORKFLOW.replace("${task.text}", "${task.txt}"), 9, "which is no input of the task"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "message"), CARDS)
def test_malformed_card(good: Path, text: str, line: int, message: str) -> None:
    _expect(good, write(good, "models/tiny.yaml", text), line, message)


@pytest.mark.parametrize(("text", "line", "message"), AGENTS)
def test_malformed_agent(good: Path, text: str, line: int, message: str) -> None:
    _expect(good, write(good, "agents/echo/agent.md", text), line, message)


@pytest.mark.parametrize(("text", "line", "message"), WORKFLOWS)
def test_malformed_workflow(good: Path, text: str, line: int, message: str) -> None:
    _expect(good, write(good, "configs/workflows/twice.yaml", text), line, message)


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        ("agents/echo/answer.py", "x = 1\n", 1, "needs `async def answer(inputs, call)`"),
        ("agents/echo/answer.py", "def answer(:\n", 1, "SyntaxError"),
        ("agents/echo/answer.py", "import json\n\nimport no_such_module_here\n", 3, "ModuleNotFoundError"),
        ("agents/echo/checks.py", "def chek(a, b): ...\n", 1, "no function here is called check_<name>"),
        ("agents/echo/tools.py", "def f(): ...\n", 1, "no function here is declared with @tool"),
        (
            "agents/echo/tools.py",
            "from orchestrator.tools import tool\n\n@tool()\ndef f(x): ...\n",
            3,
            "parameter 'x' needs a type hint",
        ),
    ],
)
def test_malformed_python(good: Path, name: str, text: str, line: int, message: str) -> None:
    _expect(good, write(good, name, text), line, message)


def _expect(root: Path, file: Path, line: int, message: str) -> None:
    error = complaint(root)
    assert message in str(error)
    assert (error.file, error.line) == (file, line)
    assert str(error).startswith(f"{file}:{line}: ")
    assert "Traceback" not in str(error)
    assert "pydantic" not in str(error)


def test_a_file_that_is_not_text(good: Path) -> None:
    (good / "models/tiny.yaml").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read as UTF-8" in str(complaint(good))


def test_several_problems_are_counted(good: Path) -> None:
    write(good, "models/a.yaml", "x: 1\n")
    write(good, "models/b.yaml", "x: 1\n")
    assert "(1 more; `lilliput doctor` lists them.)" in str(complaint(good))


class TestLayers:
    def test_the_built_in_content_is_sound(self) -> None:
        use_everything(Workspace((builtin_root(),)))

    def test_a_users_card_replaces_a_built_in_one(
        self, good: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        own = tmp_path_factory.mktemp("own")
        write(own, "models/tiny.yaml", CARD.replace("A tiny model.", "Mine."))
        assert Workspace((good, own)).card("tiny").description == "Mine."

    def test_the_marker_is_found_from_below(self, good: Path) -> None:
        write(good, "configs/lilliput.yaml", "{}\n")
        below = good / "some" / "where"
        below.mkdir(parents=True)
        assert find_workspace(start=below).roots[-1] == good.resolve()

    def test_without_the_marker_nothing_is_taken(self, good: Path) -> None:
        assert find_workspace(start=good).roots == (builtin_root().resolve(),)

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="is not a folder"):
            find_workspace(tmp_path / "nothing")

    def test_did_you_mean(self, good: Path) -> None:
        with pytest.raises(UnknownName, match="Did you mean 'tiny'"):
            Workspace((good,)).card("tinny")


def test_what_is_there_but_broken_is_not_unknown(tmp_path: Path) -> None:
    add_agent(tmp_path, "echo", needs=["fly"])
    write(
        tmp_path, "models/small.yaml", CARD.replace("name: tiny", "name: small").replace("scripted", "magic")
    )
    place = Workspace((tmp_path,))
    with pytest.raises(ContentError, match=r"echo/agent\.md:\d+: `needs"):
        place.agent("echo")
    with pytest.raises(ContentError, match=r"small\.yaml:\d+: "):
        place.card("small")
    with pytest.raises(UnknownName):
        place.agent("small")
