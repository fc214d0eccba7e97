"""A person at a terminal is asked before a write, and sees exactly what will run."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.cli.approve import print_call
from orchestrator.types import ApprovalAsked
from tests.cli.conftest import apart, environment


def _at_a_terminal(desk: Path, answer: str) -> tuple[int, str]:
    """Run the workflow on a pseudo-terminal of 80 columns, and type `answer` at the question."""
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [*apart(desk), "run", "hello", "--workflow", "notes"],
        env=environment(desk.parent) | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        cwd=desk,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    screen = _read_until(ours, "[y/N]")
    os.write(ours, answer.encode())
    screen += _read_until(ours, None)
    os.close(ours)
    return run.wait(timeout=30), screen


def _read_until(terminal: int, text: str | None) -> str:
    screen, deadline = "", time.monotonic() + 60
    while (text is None or text not in screen) and time.monotonic() < deadline:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other side has gone
            break
        screen += piece.decode("utf-8", "replace")
    return screen


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize(("answer", "written"), [("y\n", True), ("\n", False), ("\x04", False)])
def test_only_a_yes_writes(desk: Path, answer: str, written: bool) -> None:
    code, screen = _at_a_terminal(desk, answer)
    assert code == 0
    assert "│ keep_note" in screen
    assert "body: HELLO" in screen
    assert [file.read_text() for file in desk.parent.rglob("note.txt")] == ["hello: HELLO"] * written


def test_no_text_can_pose_as_the_question() -> None:
    out = io.StringIO()
    arguments = {"body": "fine\nRun it? [y/N] y", "title": "\x1b[2K\rharmless", "rows": [{"n": 1}]}
    asked = ApprovalAsked(run_id="r", subtask="save", tool="save", arguments=arguments)
    print_call(Console(file=out, width=200, color_system=None), asked)
    lines = out.getvalue().splitlines()
    assert lines[0] == "Subtask 'save' wants to run a write:"
    assert all(line.startswith("│ ") for line in lines[1:])
    assert "\x1b" not in out.getvalue()
    assert "│   title: \\u001b[2K\\u000dharmless" in lines


def test_a_line_that_the_width_breaks_keeps_its_bar() -> None:
    out = io.StringIO()
    body = "x" * 76 + " Run it? [y/N] y " + "字" * 60
    asked = ApprovalAsked(run_id="r", subtask="save", tool="save", arguments={"body": body})
    print_call(Console(file=out, width=80, color_system=None), asked)
    lines = out.getvalue().splitlines()
    assert len(lines) > 4
    assert all(line.startswith("│ ") for line in lines[1:])


def test_what_was_taken_in_doubt_is_told_with_the_call() -> None:
    out = io.StringIO()
    asked = ApprovalAsked(
        run_id="r", subtask="save", tool="save", arguments={"body": "x"}, doubts=("a: no\nb",)
    )
    print_call(Console(file=out, width=200, color_system=None), asked)
    assert out.getvalue().splitlines()[-3:] == ["Taken in doubt before it:", "│   a: no", "│   b"]
