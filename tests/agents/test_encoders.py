"""The agents that compare texts: triage, choose-tool, find-answer, language."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from orchestrator.errors import InvalidInput
from orchestrator.tools import load_module
from tests.agents.crew import ask, session, workspace

LABELS = [
    {"name": "printer", "examples": ["the printer has a paper jam", "papier klem in de printer"]},
    {"name": "leave", "description": "holidays", "examples": ["I want to request leave for summer"]},
]
TOOLS: list[dict[str, Any]] = [
    {
        "name": "get_weather",
        "description": "Get the weather forecast for a city.",
        "parameters": {"type": "dict", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
    {"name": "sendMessage", "description": "Send a text message to a person."},
]


# --- triage ---------------------------------------------------------------------------------------------


async def test_triage_takes_the_nearest_label() -> None:
    asked = await ask("triage", {"text": "paper jam in the printer", "labels": LABELS}, session())
    assert asked.output["label"] == "printer"
    assert asked.output["scores"][0]["confidence"] > asked.output["scores"][1]["confidence"]
    assert asked.answer.confidence == asked.output["scores"][0]["confidence"]
    assert not asked.refused


async def test_triage_abstains_when_nothing_is_near() -> None:
    asked = await ask("triage", {"text": "zzz qqq", "labels": LABELS}, session())
    assert asked.answer.abstained
    assert asked.output["label"] is None
    assert "nothing is near" in asked.output["reason"]
    assert not asked.refused


async def test_triage_abstains_when_two_labels_are_as_near() -> None:
    twins = [{"name": name, "examples": ["the same words"]} for name in ("one", "two")]
    asked = await ask("triage", {"text": "the same words", "labels": twins, "min_confidence": 0.6}, session())
    assert asked.answer.abstained
    assert "of the votes" in asked.output["reason"]


async def test_triage_needs_a_label() -> None:
    with pytest.raises(InvalidInput):
        await ask("triage", {"text": "x", "labels": []}, session())


# --- choose-tool ----------------------------------------------------------------------------------------


async def test_choose_tool_gives_the_whole_definition() -> None:
    inputs = {"text": "weather forecast for the city of Ghent", "tools": TOOLS}
    asked = await ask("choose-tool", inputs, session())
    assert asked.output["tool"] == "get_weather"
    assert asked.output["definition"] == TOOLS[0]
    assert asked.output["runner_up"] == "sendMessage"
    assert asked.output["margin"] > 0
    assert not asked.refused


async def test_choose_tool_abstains_when_none_fits() -> None:
    asked = await ask("choose-tool", {"text": "bake a cake", "tools": TOOLS}, session())
    assert asked.answer.abstained
    assert asked.output["tool"] is None
    assert asked.output["definition"] is None
    assert not asked.refused


async def test_a_threshold_of_zero_never_abstains() -> None:
    inputs = {"text": "bake a cake", "tools": TOOLS, "threshold": 0}
    assert (await ask("choose-tool", inputs, session())).output["tool"] is not None


async def test_choose_tool_without_tools_or_with_one() -> None:
    assert (await ask("choose-tool", {"text": "x", "tools": []}, session())).answer.abstained
    asked = await ask("choose-tool", {"text": "get weather city", "tools": TOOLS[:1]}, session())
    assert asked.output["tool"] == "get_weather"
    assert asked.output["margin"] is None


async def test_choose_tool_takes_thousands_of_tools_in_one_batch() -> None:
    many = [{"name": f"tool_{n}", "description": f"Do the thing number{n}."} for n in range(4_076)]
    asked = await ask("choose-tool", {"text": "weather forecast city", "tools": [*many, TOOLS[0]]}, session())
    assert asked.output["tool"] == "get_weather"


# --- language -------------------------------------------------------------------------------------------


async def test_language_asks_the_detector() -> None:
    asked = await ask("language", {"text": "Goedemorgen allemaal"}, session(language="nl"))
    assert asked.output == {"language": "nl", "probability": 1.0}


@pytest.mark.parametrize("text", ["", "12345 - 67", "[EMAIL_1]", "https://example.com/x"])
async def test_a_text_without_words_has_no_language(text: str) -> None:
    asked = await ask("language", {"text": text}, session())
    assert asked.output["language"] == "und"
    assert asked.answer.abstained
    assert not asked.refused


# --- find-answer ----------------------------------------------------------------------------------------

RULES: ModuleType = load_module(workspace().agents["find-answer"].folder / "answer.py")
PAGE = """# Handbook

Welcome.

## Printers

Open the rear door to remove a paper jam.

Then switch it on.

```
# not a heading

still code
```

## Leave
- ask in the portal
- wait
"""


def test_passages_know_their_headings_and_lines() -> None:
    passages = list(RULES.split(PAGE, "a.md", 64))
    lines = PAGE.splitlines()
    assert [(item.heading, item.line) for item in passages] == [
        ("Handbook", 3),
        ("Handbook > Printers", 7),
        ("Handbook > Printers", 11),
        ("Handbook > Leave", 18),
    ]
    for item in passages:
        assert lines[item.line - 1] == item.text.splitlines()[0]
    assert "# not a heading" in passages[2].text


def test_every_quote_is_in_its_file_word_for_word() -> None:
    folder = workspace().roots[0] / "configs" / "handbook"
    for passage in RULES.read_folder(folder, 700):
        assert passage.text in (folder / passage.file).read_text("utf-8")


async def test_find_answer_quotes_with_file_heading_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(PAGE)
    inputs = {"question": "How do I remove a paper jam?", "folder": str(tmp_path), "min_score": 0.2}
    output = (await ask("find-answer", inputs, session())).output
    assert output["found"]
    assert (output["file"], output["heading"], output["line"]) == ("a.md", "Handbook > Printers", 7)
    assert output["quote"].startswith("Open the rear door")


async def test_find_answer_abstains_when_nothing_is_near(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(PAGE)
    asked = await ask("find-answer", {"question": "zzz qqq", "folder": str(tmp_path)}, session())
    assert asked.answer.abstained
    assert asked.output["found"] is False
    assert asked.output["quote"] is None
    assert not asked.refused


async def test_find_answer_says_what_is_wrong_with_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no text in Markdown"):
        await ask("find-answer", {"question": "x", "folder": str(tmp_path)}, session())
    with pytest.raises(InvalidInput, match="is not there"):
        await ask("find-answer", {"question": "x", "folder": "no/such/folder"}, session())
