"""The way in and the ways out: speed, help, exit codes, signals, pipes."""

from __future__ import annotations

import functools
import json
import os
import shlex
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import cli
from orchestrator.errors import ModelError, NotEnoughResources, UserError
from tests.cli.conftest import Lilliput, apart, environment, write_card

MODULE = [sys.executable, "-c", "from orchestrator.cli import main; main()"]
# What may not be paid for by somebody who only asks for help.
HEAVY = ("pydantic", "numpy", "rich", "sqlalchemy", "jinja2", "yaml", "anyio", "torch", "onnxruntime")


def test_help_answers_in_under_0_3_seconds(tmp_path: Path) -> None:
    """Median of five, in CPU seconds: what else the machine is busy with must not count."""

    def once() -> float:
        run = subprocess.Popen([*MODULE, "--help"], env=environment(tmp_path), stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        assert run.returncode == 0
        return used.ru_utime + used.ru_stime

    once()
    assert statistics.median(once() for _ in range(5)) < 0.3


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import atexit, sys
from orchestrator.cli import main
atexit.register(lambda: print([name for name in {HEAVY!r} if name in sys.modules]))
main(["--help"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_and_the_help(lilliput: Lilliput) -> None:
    assert lilliput("--version").out.startswith("lilliput 0.")
    said = lilliput("-h")
    assert said.code == 0
    for name in ("run", "agents", "tools", "workflows", "models", "runs", "doctor", "demo"):
        assert f"  {name}" in said.out


@pytest.mark.parametrize("group", ["agents", "tools", "workflows", "models", "runs"])
def test_a_group_without_a_command_shows_its_help(lilliput: Lilliput, group: str) -> None:
    assert "list" in lilliput(group, "--help").out


def test_a_mistyped_command_is_answered_with_the_nearest_one(lilliput: Lilliput) -> None:
    said = lilliput("modles", "list")
    assert said.code == 2
    assert "Did you mean 'models'" in said.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserError("Wrong.", hint="Type this."), 2),
        (NotEnoughResources("Too little.", hint="Type this."), 1),
        (ExceptionGroup("several", [ModelError("Inside.", hint="Type this.")]), 1),
    ],
)
def test_an_error_of_the_product_is_one_message_with_its_hint(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.explain(error) == code
    assert capsys.readouterr().err.splitlines()[-1] == "Type this."


def test_a_bug_is_named_without_a_traceback_unless_asked_for(
    lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr("orchestrator.workspace.find_workspace", broken)
    said = lilliput("agents", "list")
    assert said.code == 1
    assert "Lilliput has a bug: KeyError" in said.err
    monkeypatch.setenv("LILLIPUT_DEBUG", "1")
    with pytest.raises(KeyError):
        cli.main(["agents", "list"])


def test_a_package_that_is_not_installed_is_told_with_what_to_type(
    capsys: pytest.CaptureFixture[str],
) -> None:
    missing = functools.partial(ModuleNotFoundError, "No module named 'x'")
    assert cli.explain(missing(name="faker")) == 2
    said = capsys.readouterr().err
    assert "needs the package 'faker'" in said
    assert "make setup" in said
    assert cli.explain(missing(name="orchestrator.lost")) == 1, "ours that is lost is a bug"


def test_colours_are_left_out_where_nobody_wants_them(desk: Path) -> None:
    homes = environment(desk.parent)
    for extra in ({}, {"NO_COLOR": "1", "TTY_COMPATIBLE": "1"}):
        command = [*apart(desk), "agents", "show", "no-such"]
        done = subprocess.run(command, env=homes | extra, capture_output=True, text=True, cwd=desk)
        assert "\x1b[3" not in done.stderr


def test_a_reader_that_leaves_early_is_no_error(desk: Path) -> None:
    command = shlex.join([*apart(desk), "agents", "list", "--json"]) + " | head -c 1"
    done = subprocess.run(
        ["bash", "-c", command], env=environment(desk.parent), capture_output=True, text=True, cwd=desk
    )
    assert done.stdout == "["
    assert done.stderr == ""


def test_ctrl_c_ends_a_run_with_130_and_the_record_says_so(desk: Path) -> None:
    write_card(desk, "small", 1, delay_s=60)
    homes = environment(desk.parent)
    command = [*apart(desk), "run", "x", "--agent", "shout", "--model", "small"]
    # What a shell puts into the background is deaf to SIGINT, and so are its children: these tests, perhaps.
    hear = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    run = subprocess.Popen(command, env=homes, cwd=desk, stderr=subprocess.PIPE, text=True, preexec_fn=hear)
    assert run.stderr
    assert any("asks small" in line for line in run.stderr)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=30)
    assert run.returncode == 130
    assert said.splitlines()[-1] == "Stopped."
    shown = subprocess.run(
        [*apart(desk), "runs", "show", "last"], env=homes, cwd=desk, capture_output=True, text=True
    )
    assert "canceled" in shown.stdout


def test_a_run_whose_reader_leaves_is_ended_and_recorded(desk: Path) -> None:
    write_card(desk, "small", 1, delay_s=3)
    command = shlex.join([*apart(desk), "run", "x", "--agent", "shout", "--model", "small", "--events"])
    piped = ["bash", "-c", f"{command} | head -n 1"]
    homes = environment(desk.parent)
    done = subprocess.run(piped, env=homes, capture_output=True, text=True, cwd=desk)
    assert '"kind":"run_started"' in done.stdout
    assert done.stderr == ""
    show = [*apart(desk), "runs", "show", "last", "--json"]
    record = json.loads(subprocess.run(show, env=homes, capture_output=True, text=True, cwd=desk).stdout)
    assert record["summary"]["status"] == "canceled"
