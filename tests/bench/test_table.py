"""One's own CSV file as a benchmark, written as the handbook says; malformed ones name file and line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.bench.running import Bench
from orchestrator.errors import ContentError
from orchestrator.settings import Settings
from orchestrator.types import RunResult
from orchestrator.workspace import Workspace, builtin_root
from tests.core.world import write

PAGE = builtin_root() / "docs" / "bench.md"
TICKETS = 'message,team\nThe printer jams,it\n"Pay, please",finance\nHallo?,\n'
OLDER = "message,team\nMy screen is black,it\nWhere is my pay slip?,hr\nWe owe you money,finance\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    found = re.search(r"```yaml\n# file: (\S+)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found
    assert len(found[2].strip().splitlines()) < 10, "under ten lines of YAML"
    write(tmp_path, found[1], found[2])
    write(tmp_path, "benchmarks/tickets/tickets.csv", TICKETS)
    write(tmp_path, "benchmarks/tickets/older.csv", OLDER)
    write(tmp_path, "configs/lilliput.yaml", "{}")
    return tmp_path


def open_bench(root: Path) -> Bench:
    settings = Settings(cache_dir=root / "cache", state_dir=root / "state")
    return Bench(Workspace((builtin_root(), root)), settings, "tickets")


def test_the_page_makes_a_benchmark(root: Path) -> None:
    bench = open_bench(root)
    cases = {case.id: case for case in bench.cases}
    assert {name: case.gold for name, case in cases.items()} == {
        "tickets_2": "it",
        "tickets_3": "finance",
        "tickets_4": None,
    }
    assert cases["tickets_3"].inputs == {"text": "Pay, please", "labels": ["finance", "hr", "it"]}
    assert bench.benchmark.arms[1].route == "fixed:qwen2.5-coder-1.5b"
    assert bench.benchmark.arms[1].task(cases["tickets_2"]).input["labels"] == ["finance", "hr", "it"]
    learned = (bench.workspace.roots[-1] / "examples.jsonl").read_text("utf-8")
    assert learned.splitlines()[0] == '{"text": "My screen is black", "label": "it"}'


def test_what_is_measured_is_not_learned_from(root: Path) -> None:
    write(root, "benchmarks/tickets/older.csv", OLDER + "the  printer JAMS,it\n")
    learned = (open_bench(root).workspace.roots[-1] / "examples.jsonl").read_text("utf-8")
    assert "JAMS" not in learned
    assert len(learned.splitlines()) == 3
    write(root, "benchmarks/tickets/older.csv", TICKETS)
    with pytest.raises(ContentError, match="every text in it is one of those to measure"):
        open_bench(root)


def test_its_rows_are_a_file_to_learn_from(root: Path) -> None:
    rows = [(row["text"], row["label"], row["split"]) for row in open_bench(root).rows("tickets")]
    assert rows[:4] == [
        ("My screen is black", "it", "train"),
        ("Where is my pay slip?", "hr", "train"),
        ("We owe you money", "finance", "train"),
        ("The printer jams", "it", "dev"),
    ]
    assert rows[-1] == ("Hallo?", None, "test")


def test_one_file_cannot_be_both(root: Path) -> None:
    file = root / "benchmarks/tickets/benchmark.yaml"
    file.write_text(file.read_text("utf-8").replace("older.csv", "tickets.csv"), "utf-8")
    with pytest.raises(ContentError, match="another file than"):
        open_bench(root)


def test_a_record_holds_no_neighbour(root: Path) -> None:
    answer = {"label": "it", "confidence": 0.7, "nearest": "somebody else's ticket"}
    assert open_bench(root).code.kept(answer) == {"label": "it", "confidence": 0.7}


@pytest.mark.parametrize(
    ("answer", "grade"),
    [({"label": "it"}, 1.0), ({"label": "hr"}, 0.0), ({"label": None}, 0.0), ("it", 0.0), (None, 0.0)],
)
def test_a_row_is_right_or_wrong(root: Path, answer: object, grade: float) -> None:
    bench = open_bench(root)
    case = next(case for case in bench.cases if case.gold == "it")
    result = RunResult(run_id="r", status="completed", answer=answer)
    assert bench.code.judge({}, case, result).grade == grade
    failed = result.model_copy(update={"status": "failed", "answer": None})
    assert bench.code.judge({}, case, failed).kind == "run_failed"


def test_n_words_and_margin_keep_what_was_measured_and_columns_do_not(root: Path) -> None:
    file = root / "benchmarks/tickets/benchmark.yaml"
    text, before = file.read_text("utf-8"), open_bench(root)
    more = text.replace("{category: tickets}", "{category: tickets, n: 2, margin: 0.1}").replace(
        "Which", "What"
    )
    assert more != text
    file.write_text(more)
    assert open_bench(root).ledger({}).folder == before.ledger({}).folder
    write(
        root,
        "benchmarks/tickets/tickets.csv",
        TICKETS.replace("message,team", "message,team,other")
        .replace(",it", ",it,a")
        .replace(",finance", ",finance,a")
        .replace("Hallo?,", "Hallo?,hr,c"),
    )
    file.write_text(text)
    one = open_bench(root)
    file.write_text(text.replace("label: team", "label: other"))
    write(root, "benchmarks/tickets/older.csv", OLDER.replace("team", "other") + "x,a\ny,c\n")
    two = open_bench(root)
    assert one.ledger({}).folder != two.ledger({}).folder
    assert one.workspace.roots[-1] != two.workspace.roots[-1]


def test_the_data_hash_follows_the_rows(root: Path) -> None:
    before = open_bench(root).card.data_hash
    write(root, "benchmarks/tickets/tickets.csv", TICKETS + "One more,it\n")
    assert open_bench(root).card.data_hash != before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("message,group\na,b\n", "tickets.csv:1: there is no column 'team' (there are: message, group)"),
        ("message,team\na,b\n,it\n", "tickets.csv:3: this row has no 'message'"),
        ("message,team\na,b\nc\n", "tickets.csv:3: this row has not as many fields"),
        ("message,team\na,b,c\n", "tickets.csv:2: this row has not as many fields"),
        ('message,team\na,"b\n', "tickets.csv:2: not CSV"),
        ("message,team\n", "tickets.csv: there is no row below the heading"),
        ("", "there is no column 'message' (there are: none)"),
        ("message;team\na;b\n", "Its columns are separated by semicolons; save it with commas."),
        ("message,team\nPay,fnance\n", "tickets.csv:2: no row of `train` has the label 'fnance'"),
        ("message,team\nPay,fnance\n", "Did you mean 'finance'?"),
        ("message,team\nPay,legal\n", "Add a row that has it."),
    ],
)
def test_a_malformed_file_is_named_with_line_and_reason(root: Path, text: str, said: str) -> None:
    write(root, "benchmarks/tickets/tickets.csv", text)
    with pytest.raises(ContentError) as raised:
        open_bench(root)
    assert said in str(raised.value)


def test_other_letters_than_utf8_are_named(root: Path) -> None:
    (root / "benchmarks/tickets/tickets.csv").write_bytes("message,team\ncafé,it\n".encode("latin-1"))
    with pytest.raises(ContentError, match=r"tickets\.csv:2: not UTF-8 text. Convert it: iconv"):
        open_bench(root)


def test_a_file_that_is_not_there_is_named(root: Path) -> None:
    (root / "benchmarks/tickets/older.csv").unlink()
    with pytest.raises(ContentError, match=r"older\.csv: this file is not there"):
        open_bench(root)
