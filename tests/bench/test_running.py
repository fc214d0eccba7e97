"""A benchmark of one's own, run, killed and resumed through the public door; no real model."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from orchestrator.bench.ledger import code_hash, hashed_files
from orchestrator.bench.origin import write_record
from orchestrator.bench.record import BenchRecord
from orchestrator.bench.running import Bench
from orchestrator.errors import ContentError, InvalidInput, ModelUnavailable, UnknownName, UserError
from orchestrator.settings import Settings
from orchestrator.types import Json
from orchestrator.workspace import Workspace
from tests.bench.words import CASES, SCORE, SPEC, open_bench, run
from tests.core.world import add_model, write


async def run_and_record(root: Path) -> BenchRecord:
    bench, ledger, _ = await run(root, 2)
    return bench.record({}, ledger)


async def test_every_case_goes_through_every_arm_and_is_ruled_on(root: Path) -> None:
    bench, ledger, heard = await run(root)
    assert len(heard) == len(ledger.outcomes) == 16
    record = bench.record({}, ledger)
    rates = {figure.summary.arm: figure.summary.mean_grade for figure in record.figures}
    assert rates["reference"] == 0.0
    assert rates["crew"] == sum(o.solved for o in heard if o.arm == "crew") / 8
    assert record.figures[0].metrics == {"answered": 8}
    assert (record.scored, record.unscored) == (16, 0)
    assert record.verdicts[0].family == "test"


async def test_a_record_names_its_origin_and_holds_no_text_of_the_data(root: Path) -> None:
    bench, ledger, _ = await run(root, 3)
    text = write_record(bench.record({}, ledger), root / "records").read_text("utf-8")
    assert "say " not in text
    for part in ("data_hash", "fingerprint", "agent echo", "seed", "machine", "schema_version"):
        assert part in text


async def test_a_second_run_repeats_nothing_and_a_larger_one_adds(root: Path) -> None:
    _, _, first = await run(root, 3)
    _, _, again = await run(root, 3)
    _, ledger, more = await run(root, 5)
    assert (len(first), len(again), len(more)) == (6, 0, 4)
    assert len(ledger.outcomes) == 10
    assert {o.case_id for o in first} < {o.case_id for o in ledger.outcomes}


def test_a_repetition_draws_what_the_first_benchmark_left_over(root: Path) -> None:
    first = [case.id for case in open_bench(root).cases]
    for n, expected in ((12, 12), (None, CASES - 8)):
        family = {"category": "test", "n": n, "skip": 8}
        write(root, "benchmarks/words/benchmark.yaml", json.dumps({**SPEC, "families": [family]}))
        again = open_bench(root)
        assert again.design.cases == {"test": expected}
        assert not {*first} & {case.id for case in again.cases}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("agents/echo/agent.md", "You are", "You were"),
        ("benchmarks/words/score.py", "answer is not None", "answer is None"),
        ("benchmarks/words/benchmark.yaml", '"seed": 3', '"seed": 4'),
    ],
    ids=["prompt", "scorer", "seed"],
)
async def test_what_decides_an_outcome_starts_anew(root: Path, file: str, old: str, new: str) -> None:
    await run(root, 2)
    changed = root / file
    changed.write_text(changed.read_text("utf-8").replace(old, new), "utf-8")
    assert len((await run(root, 2))[2]) == 4


async def test_other_code_starts_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await run(root, 2)
    monkeypatch.setattr("orchestrator.bench.ledger.code_hash", lambda: "another")
    assert len((await run(root, 2))[2]) == 4


def test_code_that_decides_outcomes_has_a_hash_and_code_that_shows_them_does_not() -> None:
    code_hash.cache_clear()
    found = [name for name in hashed_files() if name.startswith(("bench/", "cli/"))]
    decisive = ("arms", "bfcl", "cases", "gauge", "official", "plans", "spec", "table")
    assert found == [f"bench/{name}.py" for name in decisive]
    assert {"agent.py", "controller.py", "runtimes/decoding.py", "meter/energy.py"} < {*hashed_files()}


async def test_an_outcome_names_its_commit_and_a_record_names_them_all(root: Path) -> None:
    bench, ledger, _ = await run(root, 2)
    changed = ledger.outcomes[0].model_copy(update={"commit": "0123456789+", "case_id": "test_99"})
    ledger.add(changed)
    assert bench.record({}, ledger).commits == ("unknown",), "of the cases that were drawn"
    ledger.add(changed.model_copy(update={"case_id": bench.cases[0].id, "repeat": 1}))
    write(root, "benchmarks/words/benchmark.yaml", json.dumps(SPEC | {"repeats": 2}))
    bench = open_bench(root, 2)
    assert bench.record({}, ledger).commits == ("0123456789+", "unknown")


async def test_what_an_answer_quotes_of_other_rows_is_left_out(root: Path) -> None:
    write(
        root,
        "benchmarks/words/score.py",
        SCORE + "\ndef keep(answer):\n    return {'letters': len(answer['text'])}\n",
    )
    _, ledger, _ = await run(root, 2)
    assert {str(outcome.output) for outcome in ledger.outcomes} == {"{'letters': 5}"}
    assert {outcome.grade for outcome in ledger.outcomes} == {0.0, 1.0}, "graded by the whole answer"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arms": SPEC["arms"][:1]}, "at least 2"),
        ({"arms": [*SPEC["arms"], SPEC["arms"][0]]}, "'crew' comes twice"),
        ({"families": [{"category": "test"}, {"category": "test"}]}, "'test' comes twice"),
        (
            {"arms": [{"name": "x", "agent": "ecko", "route": "cascade"}, SPEC["arms"][1]]},
            "Did you mean 'echo'",
        ),
        ({"content": ["labeling"]}, "'labeling', which is not there"),
    ],
)
def test_a_benchmark_that_cannot_be_run_says_why(root: Path, change: Json, said: str) -> None:
    write(root, "benchmarks/words/benchmark.yaml", json.dumps(SPEC | change))
    with pytest.raises(UserError, match=re.escape(said)):
        open_bench(root)


def test_a_category_that_is_not_there_is_named(root: Path) -> None:
    write(
        root,
        "benchmarks/words/score.py",
        SCORE.replace("for number", "{'test': 1, 'dev': 2}[category]\n    for number"),
    )
    settings = Settings(cache_dir=root / "cache", state_dir=root / "state", data_dir=root / "data")
    with pytest.raises(InvalidInput, match="no cases of 'zzz'"):
        Bench(Workspace((root,)), settings, "words", category="zzz")


async def test_words_and_margins_do_not(root: Path) -> None:
    await run(root, 2)
    spec = SPEC | {"description": "Say it.", "families": [{"category": "test", "n": 8, "margin": 0.03}]}
    write(root, "benchmarks/words/benchmark.yaml", json.dumps(spec))
    assert (await run(root, 2))[2] == []


async def test_fewer_repeats_leave_the_others_out(root: Path) -> None:
    write(root, "benchmarks/words/benchmark.yaml", json.dumps(SPEC | {"repeats": 3}))
    await run(root)
    write(root, "benchmarks/words/benchmark.yaml", json.dumps(SPEC))
    bench, ledger, heard = await run(root)
    record = bench.record({}, ledger)
    assert (heard, record.scored, record.unscored, record.figures[0].summary.n) == ([], 16, 0, 8)


async def test_repeats_are_no_new_evidence_about_other_cases(root: Path) -> None:
    intervals = []
    for repeats in (1, 10):
        write(root, "benchmarks/words/benchmark.yaml", json.dumps(SPEC | {"repeats": repeats}))
        bench, ledger, _ = await run(root)
        intervals.append(bench.record({}, ledger).figures[0].summary.grade_interval)
    assert intervals[0] == intervals[1]


@pytest.mark.parametrize(
    ("family", "said"),
    [
        ({"n": 1000}, "`n: 1000` of 'test', but there are 20"),
        ({"n": 5, "skip": 17}, "`n: 5` of 'test', but there are 3 after the 17 that `skip` leaves out"),
        ({"skip": 20}, "all cases of 'test', but there are 0 after the 20"),
    ],
)
def test_more_cases_than_there_are_is_an_error(root: Path, family: Json, said: str) -> None:
    spec = {**SPEC, "families": [{"category": "test", **family}]}
    write(root, "benchmarks/words/benchmark.yaml", json.dumps(spec, indent=1))
    with pytest.raises(ContentError, match=re.escape(said)) as raised:
        open_bench(root)
    assert raised.value.line


async def test_other_data_models_and_packages_start_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def key(models: dict[str, str]) -> str:
        return open_bench(root).ledger(models).folder.name

    first = key({"small": "a"})
    assert key({"small": "b"}) != first
    monkeypatch.setattr("orchestrator.bench.ledger.versions", lambda names: {"numpy": "0"})
    assert key({"small": "a"}) != first
    monkeypatch.undo()
    assert key({"small": "a"}) == first
    rows = json.loads((root / "data/rows.json").read_text())
    changed = json.dumps(rows).replace("other", "elses")
    card = (root / "benchmarks/words/dataset.yaml").read_text()
    old = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    write(root, "data/rows.json", changed)
    new = hashlib.sha256(changed.encode()).hexdigest()
    write(root, "benchmarks/words/dataset.yaml", card.replace(old, new))
    assert key({"small": "a"}) != first


@pytest.mark.parametrize(
    "change",
    [{"threads": 1}, {"device": "cuda"}, {"machine": "other"}],
    ids=["threads", "device", "machine"],
)
async def test_another_machine_starts_anew(root: Path, change: Json) -> None:
    declared = json.loads((root / "configs/machines/default.yaml").read_text())
    write(root, "configs/machines/other.yaml", json.dumps({**declared, "name": "other", "idle_watts": 21}))
    usual, bench = open_bench(root), open_bench(root)
    bench.settings = bench.settings.model_copy(update=change)
    assert bench.ledger({}).folder != usual.ledger({}).folder == open_bench(root).ledger({}).folder


async def test_other_watts_start_anew(root: Path) -> None:
    before, file = open_bench(root).ledger({}).folder, root / "configs/machines/default.yaml"
    file.write_text(file.read_text().replace('"idle_watts": 20', '"idle_watts": 2000'))
    assert open_bench(root).ledger({}).folder != before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('answer["text"] == case.gold', 'answer["nope"] == case.gold', "KeyError: 'nope' for case 'test_"),
        ('answer["text"] == case.gold', "1.5", "grade: Input should be less than or equal to 1"),
        ('answer["text"] == case.gold', 'float("nan")', "grade: Input should be"),
        ('answer["text"] == case.gold', "None", "TypeError"),
        ("return {", "return 1 / 0 or {", "ZeroDivisionError"),
        ("(folder /", "1 / 0, (folder /", "ZeroDivisionError"),
        ("yield Case(", "yield 3 or Case(", "got 3"),
    ],
    ids=["missing", "too much", "nan", "none", "metrics", "materials", "no case"],
)
async def test_a_mistake_in_a_score_file_names_its_line(root: Path, old: str, new: str, said: str) -> None:
    write(root, "benchmarks/words/score.py", SCORE.replace(old, new))
    with pytest.raises(ContentError, match=re.escape(said)) as raised:
        await run_and_record(root)
    assert raised.value.file == root / "benchmarks/words/score.py"


async def test_only_some_arms(root: Path) -> None:
    bench, heard = open_bench(root), []
    await bench.run(lambda done, total, outcome: heard.append((done, total, outcome.arm)), ["crew"])
    assert heard[-1] == (8, 8, "crew")
    with pytest.raises(UnknownName, match="Did you mean 'crew'"):
        await bench.run(lambda *_: None, ["crw"])


def test_materials_lie_in_the_workspace(root: Path) -> None:
    bench = open_bench(root)
    assert (bench.workspace.roots[-1] / "examples.jsonl").read_text() == '{"text": "x", "label": "y"}'
    assert open_bench(root).workspace.roots == bench.workspace.roots


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def read_cases(files, category):\n    return []\n", "`score` is missing"),
        ("raise ValueError('no')\n", "score.py:1: ValueError: no"),
    ],
)
def test_a_broken_score_file_is_named(root: Path, code: str, message: str) -> None:
    write(root, "benchmarks/words/score.py", code)
    with pytest.raises(ContentError, match=r"score\.py") as raised:
        open_bench(root)
    assert message in str(raised.value)


def test_ids_must_be_unique(root: Path) -> None:
    write(root, "benchmarks/words/score.py", SCORE.replace("{category}_{number}", "one"))
    with pytest.raises(ContentError, match="'one' comes twice"):
        open_bench(root)


@pytest.mark.parametrize("asked", ["${case.txet}", "${task.text}"])
def test_an_arm_that_refers_to_what_no_case_has_is_an_error(root: Path, asked: str) -> None:
    arms = [SPEC["arms"][0] | {"with": {"text": asked}}, SPEC["arms"][1]]
    write(root, "benchmarks/words/benchmark.yaml", json.dumps(SPEC | {"arms": arms}, indent=1))
    with pytest.raises(ContentError, match=re.escape(f"{asked}, which no case has")) as raised:
        open_bench(root)
    assert raised.value.line
    assert "${case.text}" in str(raised.value.hint)


def test_an_arm_may_take_all_that_a_case_has(root: Path) -> None:
    arms = [SPEC["arms"][0] | {"with": {"text": "${case}"}}, SPEC["arms"][1]]
    write(root, "benchmarks/words/benchmark.yaml", json.dumps(SPEC | {"arms": arms}))
    assert open_bench(root).cases


@pytest.mark.parametrize(
    ("field", "wrong", "said"),
    [
        ("agent", "ecko", "Unknown agent 'ecko'"),
        ("route", "fixed:smal", "Unknown model 'smal'"),
        ("route", "best", "Unknown routing policy"),
    ],
)
def test_what_an_arm_names_and_is_not_there_has_a_line(root: Path, field: str, wrong: str, said: str) -> None:
    arms = [SPEC["arms"][0] | {field: wrong}, SPEC["arms"][1]]
    write(root, "benchmarks/words/benchmark.yaml", json.dumps(SPEC | {"arms": arms}, indent=1))
    with pytest.raises(ContentError, match=said) as raised:
        open_bench(root)
    lines = raised.value.file.read_text("utf-8").splitlines()
    assert wrong in lines[(raised.value.line or 0) - 1]


def test_without_a_reference_there_is_nothing_to_compare_with(root: Path) -> None:
    arms = [arm | {"kind": "small"} for arm in SPEC["arms"]]
    write(root, "benchmarks/words/benchmark.yaml", json.dumps(SPEC | {"arms": arms}))
    with pytest.raises(ContentError, match="no arm is of kind `reference`"):
        open_bench(root)


async def test_a_model_that_a_route_names_must_be_here_though_models_does_not_name_it(root: Path) -> None:
    source = {
        "options": {},
        "files": [{"name": "w", "parts": ["file:w"], "sha256": "0" * 64, "size_bytes": 1}],
    }
    add_model(root, "large", 9, role="reference", **source)
    assert not open_bench(root).benchmark.models
    with pytest.raises(ModelUnavailable, match="lilliput models pull large"):
        await run(root)
    assert not list((root / "state").rglob("outcomes*")), "no case was run"


async def test_a_reference_that_no_model_may_answer_is_not_ruled_on(root: Path) -> None:
    """Its card is here and its weights are, but it cannot do what the agent needs."""
    add_model(root, "large", 9, role="reference", capabilities=["embed"])
    bench, ledger, _ = await run(root)
    (verdict,) = bench.record({}, ledger).verdicts
    assert (verdict.candidate_rate > 0, verdict.reference_rate) == (True, 0.0)
    assert verdict.ruling == "inconclusive"
    assert verdict.reason.startswith("no ruling: no run of reference was completed")
