"""The handbook's way from logged tickets to a specialist that answers them, through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Lilliput, lilliput
from tests.learning.desk import LABELS, csv_lines, log, messages

pytestmark = pytest.mark.real
__all__ = ["lilliput"]


def test_from_logged_tickets_to_a_specialist_that_answers_them(here: Path, lilliput: Lilliput) -> None:
    refused = lilliput("learn", "run", "tickets", "--agent", "label")
    assert refused.code == 2
    assert "lilliput learn allow label --days 90" in refused.err
    assert lilliput("learn", "allow", "label", "--days", "90").code == 0

    made = lilliput("learn", "run", "tickets", "--agent", "label")
    assert made.code == 0, made.err
    assert "tickets-1 passed" in made.out
    listed = own(lilliput)
    assert listed["answers"]
    assert listed["gate"]["judged_by"] == "qwen2.5-coder-1.5b"
    assert listed["gate"]["arms"][0]["quality"] > 0.95

    # A person's answers to the same texts: the teacher's are in the records, and it need not be asked again.
    (here / "gold.csv").write_text("\n".join(csv_lines(messages(300))), "utf-8")
    against = ("--gold", "gold.csv", "--against", "qwen2.5-coder-1.5b")
    judged = lilliput("learn", "gate", "tickets-1", *against, "--json")
    assert judged.code == 0, judged.err
    assert judged.json["judged_by"] == "gold"
    assert judged.json["leaked"] == 0
    assert 60 <= judged.json["n"] <= 90

    text, team = messages(400)[350]
    question = here / "question.json"
    question.write_text(json.dumps({"text": text, "labels": [*reversed(LABELS)]}), "utf-8")
    answered = lilliput("run", "--agent", "label", "--input-file", str(question), "--json")
    assert answered.json["answer"] == {"label": team}
    assert answered.json["steps"][0]["model"] == "tickets-1"

    calibrated = lilliput("route", "calibrate", "tickets", "--max-wrong", "10", "--json")
    assert calibrated.code == 0, calibrated.err
    promise = calibrated.json["guarantee"]
    assert promise["wrong"] <= 0.1 * promise["accepted"]

    watched = lilliput("learn", "watch", "tickets", "--json")
    assert watched.code == 0, watched.err
    assert watched.json[0]["alarm_after"] is None

    assert lilliput("learn", "rollback", "tickets").code == 0
    assert own(lilliput)["answers"] is False


def own(lilliput: Lilliput) -> Any:
    """What is listed of the one that was learnt here; others are shipped."""
    (found,) = (each for each in lilliput("learn", "list", "--json").json if each["name"] == "tickets-1")
    return found


def test_from_a_file_of_tickets_step_by_step(here: Path, lilliput: Lilliput) -> None:
    (here / "tickets.csv").write_text("\n".join(csv_lines(messages(300))), "utf-8")
    for command in (
        ["collect", "desk", "--agent", "label", "--file", "tickets.csv"],
        ["scrub", "desk"],
        ["train", "desk"],
        ["show", "desk-1"],
    ):
        said = lilliput("learn", *command)
        assert said.code == 0, said.err
    assert re.search(r"answered by file", said.out)
    early = lilliput("learn", "promote", "desk-1")
    assert (early.code, "lilliput learn gate desk-1" in early.err) == (2, True)
    itself = lilliput("learn", "gate", "desk-1", "--against", "desk-1-f32")
    assert (itself.code, "held against itself" in itself.out) == (1, True)
    assert lilliput("learn", "promote", "desk-1").code == 2
    assert lilliput("learn", "train", "desk").code == 0
    gated = lilliput("learn", "gate", "desk-2", "--against", "desk-1", "--json")
    assert gated.code == 0, gated.err
    assert (gated.json["judged_by"], gated.json["incumbent"]) == ("file", "desk-1")
    assert "It would not be promoted so" in gated.err
    other = lilliput("learn", "promote", "desk-2")
    assert (other.code, "qwen2.5-coder-1.5b is what answers now" in other.err) == (2, True)

    assert lilliput("learn", "allow", "label").code == 0
    assert lilliput("learn", "run", "tickets", "--agent", "label").code == 0
    assert "tickets-1 is what answers now" in lilliput("learn", "promote", "desk-2").err
    gated = lilliput("learn", "gate", "desk-2")
    assert (gated.code, "Next: lilliput learn promote desk-2" in gated.err) == (0, True)
    assert lilliput("learn", "promote", "desk-2").code == 0
    assert not own(lilliput)["answers"], "its place was taken"


def test_shuffled_labels_do_not_pass(here: Path, lilliput: Lilliput) -> None:
    rows = messages(300)
    shuffled = [(text, LABELS[number % 4]) for number, (text, _) in enumerate(rows)]
    log(here.parent / "other", [])
    (here / "shuffled.csv").write_text("\n".join(csv_lines(shuffled)), "utf-8")
    (here / "right.csv").write_text("\n".join(csv_lines(rows)), "utf-8")
    for name in ("right", "shuffled"):
        for step in (
            ["collect", name, "--agent", "label", "--file", f"{name}.csv"],
            ["scrub", name],
            ["train", name],
        ):
            assert lilliput("learn", *step).code == 0
    said = lilliput("learn", "gate", "shuffled-1", "--against", "right-1")
    assert said.code == 1
    assert "refused" in said.out
    assert lilliput("learn", "promote", "shuffled-1").code == 2
