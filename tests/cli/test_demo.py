"""`lilliput demo` on the screen. What the demo does is tested with `orchestrator.bench`."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.bench.arms import Outcome
from orchestrator.bench.demo import CaseDone, DeskEvent, DeskStarted, WarmingUp
from orchestrator.cli.demo import Screen
from orchestrator.types import RunDone, RunResult
from tests.cli.conftest import Lilliput
from tests.cli.test_views import RUN


def test_the_demo_is_told_as_it_happens(capsys: pytest.CaptureFixture[str]) -> None:
    done = RunDone(run_id="r1", result=RunResult(run_id="r1", status="completed", answer={"reply": "Fixed."}))
    outcome = Outcome(
        case_id="multiple_7",
        category="multiple",
        arm="crew",
        run_id="r2",
        status="completed",
        grade=1.0,
        latency_s=1.25,
        load_s=0.0,
    )
    with Screen() as screen:
        screen.see(DeskStarted(input={"text": "The printer\njams"}))
        for event in (*RUN, done):
            screen.see(DeskEvent(event=event))
        screen.see(WarmingUp(arms=("crew", "reference")))
        screen.see(CaseDone(done=1, total=40, outcome=outcome))
    said = capsys.readouterr().err
    for part in (
        "│ The printer\n│ jams",
        "left: asks small",
        "completed in",
        "│ reply: Fixed.",
        "Loading the models of crew and reference",
        "[1/40] ✓ crew multiple_7, 1.2 s",
    ):
        assert part in said


@pytest.mark.usefixtures("desk")
def test_a_workspace_without_the_demo_says_what_is_missing(lilliput: Lilliput, desk: Path) -> None:
    said = lilliput("demo")
    assert said.code == 2
    assert "Unknown benchmark 'bfcl-demo'" in said.err
