"""Every command of docs/learning.md, as it stands there, in a folder with the files that it names."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.workspace import builtin_root
from tests.cli.conftest import Lilliput, lilliput
from tests.learning.desk import LABELS, csv_lines, messages

pytestmark = pytest.mark.real
__all__ = ["lilliput"]
HANDBOOK = builtin_root() / "docs" / "learning.md"
# What is run elsewhere, since it needs the larger model, a data set or an hour.
ELSEWHERE = {
    "lilliput learn distil": "test_distil.py",
    "lilliput learn run texts": "test_distil.py",
    "lilliput learn run desk": "test_walk_through.py, step by step: the gate asks the larger model",
    "lilliput bench rows": "tests/bench/families/test_training_rows.py",
    "lilliput learn collect intents": "test_rebuild.py, with other rows",
    "lilliput learn scrub intents": "the same",
    "lilliput learn train intents": "the same",
    "lilliput learn gate intents-1": "test_walk_through.py, with other rows",
}


def commands() -> Iterator[str]:
    """In the order of the page, without what stands behind #."""
    for block in re.findall(r"```sh\n(.*?)```", HANDBOOK.read_text("utf-8"), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.sub(r"\s#.*", "", line).split(" && "):
                if part.strip().startswith("lilliput"):
                    yield part.strip()


@pytest.mark.skipif(not HANDBOOK.is_file(), reason="installed without the handbook")
def test_every_command_of_the_handbook(here: Path, lilliput: Lilliput) -> None:
    tickets = "\n".join(csv_lines(messages(300)))
    (here / "tickets.csv").write_text(tickets, "utf-8")
    question = {"text": messages(400)[350][0], "labels": [*LABELS]}
    (here / "question.json").write_text(json.dumps(question), "utf-8")
    found = list(commands())
    left = [command for command in found if not any(command.startswith(other) for other in ELSEWHERE)]
    assert len(left) >= 8
    for command in left:
        said = lilliput(*shlex.split(command)[1:])
        assert said.code == 0, (command, said.out, said.err)
    assert all(any(command.startswith(other) for command in found) for other in ELSEWHERE), "no longer there"
