"""A larger model's answers to learn from: each text once, and on after an interruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ModelError
from orchestrator.learning.distil import Distilled, distil
from orchestrator.learning.project import FileSource
from orchestrator.learning.rows import read_rows
from orchestrator.records import Records
from orchestrator.types import Learns
from tests.core.world import add_agent, add_model, fails, open_world, says

LEARNS = Learns(kind="label", answer="text", fixed=("tone",))
INPUT = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "tone": {"type": "string"}},
    "required": ["text"],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    capabilities = ["generate", "json-schema", "logprobs"]
    add_model(tmp_path, "small", 10, capabilities=capabilities)
    add_model(tmp_path, "large", 100, capabilities=capabilities, role="reference")
    add_agent(tmp_path, "guess", retries=0, learns=LEARNS.model_dump(), input=INPUT)
    return tmp_path


async def distilled(root: Path, texts: list[str], given: dict[str, Any], **replies: Any) -> Distilled:
    replies = replies or {"small": says("small"), "large": says("large")}
    async with open_world(root, replies) as world:
        records: Records = world.controller.records
        return await distil(world.controller, records, "guess", LEARNS, given, texts, lambda done, of: None)


async def test_the_larger_one_answers_each_text_once(root: Path) -> None:
    assert await distilled(root, ["a", "b", "a", " "], {}) == Distilled(asked=2, known=0, failed=0)
    assert await distilled(root, ["b", "c"], {}) == Distilled(asked=1, known=1, failed=0)
    assert await distilled(root, ["b"], {"tone": "kind"}) == Distilled(asked=1, known=0, failed=0)


async def test_one_that_failed_is_asked_again(root: Path) -> None:
    broken = {"small": says("small"), "large": fails(ModelError("no memory"))}
    assert await distilled(root, ["a"], {}, **broken) == Distilled(asked=1, known=0, failed=1)
    assert await distilled(root, ["a"], {}) == Distilled(asked=1, known=0, failed=0)


def test_a_file_of_texts_needs_no_answers(tmp_path: Path) -> None:
    file = tmp_path / "texts.csv"
    file.write_text("text\nmy screen is black\nno light\n", "utf-8")
    source = FileSource(path=file, sha256="", text="text", label=None)
    assert [(text, answer) for _, text, answer, *_ in read_rows(source)] == [
        ("my screen is black", None),
        ("no light", None),
    ]
