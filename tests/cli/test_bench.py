"""`lilliput bench`: list, run and rule, as a person sees it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.bench.words import SCORE, SPEC
from tests.cli.conftest import Lilliput, write, write_card


@pytest.fixture
def words(desk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A benchmark of eight cases in the user's workspace, with its data in a folder of the user's."""
    rows = json.dumps([{"text": f"say {n}", "gold": "HELLO"} for n in range(8)])
    sha256 = hashlib.sha256(rows.encode()).hexdigest()
    file = {"name": "rows.json", "parts": ["file:rows.json"], "sha256": sha256, "size_bytes": len(rows)}
    card = {"name": "words", "description": "", "licence": "none", "origin": "tests", "files": [file]}
    arms = [
        {"name": "crew", "agent": "shout", "route": "fixed:small"},
        {"name": "reference", "agent": "shout", "route": "fixed:large", "kind": "reference"},
    ]
    write(
        desk,
        {
            "data/rows.json": rows,
            "benchmarks/words/dataset.yaml": json.dumps(card),
            "benchmarks/words/benchmark.yaml": json.dumps(SPEC | {"arms": arms}),
            "benchmarks/words/score.py": SCORE.replace('answer["text"]', 'answer["loud"]'),
        },
    )
    write_card(desk, "small", 1, reply='{"loud": "HELLO"}')
    monkeypatch.setenv("LILLIPUT_DATA_DIR", str(desk / "data"))
    return desk


@pytest.mark.usefixtures("words")
def test_a_run_ends_with_figures_and_a_ruling(lilliput: Lilliput) -> None:
    said = lilliput("bench", "run", "words")
    assert said.code == 0
    assert "[16/16]" in said.err
    assert "16 runs to do, about " in said.err
    written = [line.split("Written: ")[1] for line in said.err.splitlines() if "Written: " in line]
    assert [Path(file).suffix for file in written] == [".json", ".html"]
    assert all(Path(file).is_file() for file in written)
    assert "100.0 %" in said.out
    assert "test: " in said.out
    assert "crew 100.0 %, reference 100.0 %, n = 8" in said.out
    again = lilliput("bench", "run", "words")
    assert "runs to do" not in again.err
    assert again.out == said.out


@pytest.mark.usefixtures("words")
def test_a_verdict_runs_nothing_and_says_what_is_missing(lilliput: Lilliput) -> None:
    assert "16 of 16 outcomes are still missing" in lilliput("bench", "verdict", "words").out
    lilliput("bench", "run", "words", "-n", "2", "--arm", "crew")
    assert "2 of 4 outcomes are still missing" in lilliput("bench", "verdict", "words", "-n", "2").out
    assert lilliput("bench", "verdict", "words", "--json").json["scored"] == 2


@pytest.mark.usefixtures("words")
def test_they_are_listed(lilliput: Lilliput) -> None:
    assert "words" in lilliput("bench", "list").out
    assert [spec["name"] for spec in lilliput("bench", "list", "--json").json] == ["words"]


def test_data_that_are_not_here_are_said_how_to_get(words: Path, lilliput: Lilliput) -> None:
    (words / "data" / "rows.json").unlink()
    said = lilliput("bench", "run", "words")
    assert said.code == 2
    assert "Data set 'words' is missing" in said.err
    assert "LILLIPUT_DATA_DIR" in said.err


@pytest.mark.usefixtures("words")
def test_a_remark_goes_into_the_record(lilliput: Lilliput) -> None:
    said = lilliput("bench", "run", "words", "--remark", "a build ran beside it", "--json")
    assert said.json["remark"] == "a build ran beside it"
    assert (
        "a build ran beside it" in lilliput("bench", "run", "words", "--remark", "a build ran beside it").out
    )


@pytest.mark.usefixtures("words")
def test_a_report_over_what_was_recorded(lilliput: Lilliput, tmp_path: Path) -> None:
    assert "No benchmark has a record yet" in lilliput("bench", "report", "-o", str(tmp_path / "r.html")).err
    lilliput("bench", "run", "words")
    page = tmp_path / "pages" / "r.html"
    said = lilliput("bench", "report", "words", "-o", str(page), "--price", "0.5,1.5")
    assert said.code == 0, said.err
    assert "Verdicts" in page.read_text("utf-8")
    assert "successes" in page.read_text("utf-8") or "confirmed" not in page.read_text("utf-8")
    wrong = lilliput("bench", "report", "-o", str(page), "--price", "cheap")
    assert wrong.code == 2
    assert "--price 0.5,1.5" in wrong.err


@pytest.mark.usefixtures("words")
def test_two_records_are_compared(lilliput: Lilliput) -> None:
    first = lilliput("bench", "run", "words", "-n", "4").err.split("Written: ")[1].split()[0]
    said = lilliput("bench", "compare", first, "words")
    assert said.code == 0, said.err
    assert "4 / 4" in said.out
    assert lilliput("bench", "compare", first, "words", "--json").json["changes"][0]["identical"] == 4
    assert "Did you mean 'words'" in lilliput("bench", "compare", first, "word").err
    assert "cannot be read" in lilliput("bench", "compare", first, "absent.json").err


def test_what_is_published_decides_who_may_answer(words: Path, lilliput: Lilliput) -> None:
    spec = json.loads((words / "benchmarks/words/benchmark.yaml").read_text())
    spec["families"][0]["margin"] = 0.9
    (words / "benchmarks/words/benchmark.yaml").write_text(json.dumps(spec))
    before = lilliput("run", "hi", "--agent", "shout", "--route", "smallest-capable", "--json").json
    assert "large" in before["usage_by_model"]
    lilliput("bench", "run", "words")
    said = lilliput("bench", "publish", "words")
    assert said.code == 0, said.err
    text = (words / "models" / "evidence" / "small.yaml").read_text("utf-8")
    assert "ruling: confirmed" in text
    assert "say " not in text
    after = lilliput("run", "hi", "--agent", "shout", "--route", "smallest-capable", "--json").json
    assert "small" in after["usage_by_model"]


@pytest.mark.usefixtures("words")
def test_half_a_run_is_no_evidence(lilliput: Lilliput) -> None:
    lilliput("bench", "run", "words", "--arm", "crew")
    said = lilliput("bench", "publish", "words")
    assert said.code == 2
    assert "8 of its outcomes are missing" in said.err


def test_the_suite_runs_what_can_run_and_says_what_cannot(
    words: Path, lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(words)
    other = (words / "benchmarks/words/dataset.yaml").read_text().replace("rows.json", "absent.json")
    spec = (words / "benchmarks/words/benchmark.yaml").read_text().replace('"words"', '"others"')
    write(
        words,
        {
            "benchmarks/suite.yaml": "benchmarks: [others, words]",
            "benchmarks/others/dataset.yaml": other.replace('"words"', '"others"'),
            "benchmarks/others/benchmark.yaml": spec,
            "benchmarks/others/score.py": SCORE,
        },
    )
    said = lilliput("bench", "suite", "-n", "2")
    assert said.code == 0, said.err
    assert "others is left out: " in said.err
    assert "[4/4]" in said.err
    assert "2 of 8 declared cases, no ruling before all are run" in said.out
    assert "words" in (words / "report.html").read_text("utf-8")


@pytest.mark.usefixtures("words")
@pytest.mark.parametrize("price", ["-1,2", "nan,1", "1", "a,b", "inf,inf"])
def test_a_price_that_is_none_is_refused(lilliput: Lilliput, price: str) -> None:
    lilliput("bench", "run", "words", "-n", "1")
    said = lilliput("bench", "report", "words", f"--price={price}")
    assert said.code == 2
    assert "is no price" in said.err


@pytest.mark.usefixtures("words")
def test_what_cannot_be_written_leaves_nothing_behind(lilliput: Lilliput, tmp_path: Path) -> None:
    lilliput("bench", "run", "words", "-n", "1")
    taken = tmp_path / "taken"
    taken.mkdir()
    for command in (["report", "words", "-o"], ["table", "words", "--into"]):
        said = lilliput("bench", command[0], command[1], command[2], str(taken))
        assert said.code == 2
        assert "cannot be" in said.err
    (tmp_path / "file").write_text("")
    assert "cannot be written" in lilliput("bench", "export", "words", "-o", str(tmp_path / "file")).err
    assert not [*tmp_path.rglob("*.new")]


@pytest.mark.usefixtures("words")
def test_records_of_two_benchmarks_are_not_compared(words: Path, lilliput: Lilliput) -> None:
    first = lilliput("bench", "run", "words", "-n", "2").err.split("Written: ")[1].split()[0]
    other = words / "other.json"
    other.write_text(Path(first).read_text("utf-8").replace('"name": "words"', '"name": "others"'), "utf-8")
    said = lilliput("bench", "compare", first, str(other))
    assert said.code == 2
    assert "records of 'words' and of 'others'" in said.err


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"kind": "demo"}', "is a record of demo, which rules on nothing"),
        ("{}", "is no record of a benchmark"),
    ],
)
def test_a_record_that_is_none_is_refused(lilliput: Lilliput, tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    said = lilliput("bench", "report", str(file))
    assert said.code == 2
    assert reason in said.err


@pytest.mark.usefixtures("words")
def test_an_arm_under_load(lilliput: Lilliput) -> None:
    said = lilliput("bench", "load", "words", "--arm", "crew", "--pattern", "poisson", "--rate", "50")
    assert said.code == 0, said.err
    assert "poisson, 50 a second" in said.out
    found = lilliput("bench", "load", "words", "--arm", "crew", "--pattern", "offline", "--json").json
    assert (found["n"], found["failed"]) == (8, 0)
    assert found["throughput_per_s"] > 0
    poisson = ["--pattern", "poisson", "--rate"]
    for wrong in (
        ["--pattern", "poisson"],
        ["--rate", "2"],
        ["--pattern", "bursty"],
        [*poisson, "nan"],
        [*poisson, "0"],
        ["--goal", "-3"],
    ):
        said = lilliput("bench", "load", "words", "--arm", "crew", *wrong)
        assert said.code == 2
        assert "--pattern" in said.err


@pytest.mark.usefixtures("words")
def test_predictions_are_exported(lilliput: Lilliput, tmp_path: Path) -> None:
    lilliput("bench", "run", "words", "-n", "2")
    said = lilliput("bench", "export", "words", "-o", str(tmp_path / "out"))
    assert said.code == 0, said.err
    rows = [json.loads(line) for line in (tmp_path / "out" / "words.crew.jsonl").read_text().splitlines()]
    assert [row["output"] for row in rows] == [{"loud": "HELLO"}] * 2
    assert (tmp_path / "out" / "words.reference.jsonl").is_file()


@pytest.mark.usefixtures("words")
def test_another_category_is_run_without_a_record(lilliput: Lilliput) -> None:
    said = lilliput("bench", "run", "words", "--category", "dev", "-n", "3")
    assert said.code == 0, said.err
    assert "dev" in said.out
    assert "Written" not in said.err
    assert "16 of 16 outcomes are still missing" in lilliput("bench", "verdict", "words").out


def test_all_cases_are_run_without_a_record(lilliput: Lilliput, words: Path) -> None:
    file = words / "benchmarks" / "words" / "benchmark.yaml"
    spec = json.loads(file.read_text())
    file.write_text(json.dumps(spec | {"families": [{"category": "test", "n": 3, "skip": 1}]}))
    said = lilliput("bench", "run", "words", "--whole", "--arm", "crew")
    assert said.code == 0, said.err
    assert re.search(r"test +crew +8 ", said.out), said.out
    assert "Written" not in said.err
