"""The report opens offline, says the verdicts first, hides nothing, and trusts no text."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from orchestrator.bench.arms import Once
from orchestrator.bench.failures import worst_failures
from orchestrator.bench.headline import headline, ruled_families
from orchestrator.bench.html import percent, render, short
from orchestrator.bench.library import find_record, own_records, read_record, shipped_records
from orchestrator.bench.origin import write_record
from orchestrator.bench.plots import kinds
from orchestrator.bench.record import BenchRecord
from orchestrator.errors import UnknownName, UserError
from orchestrator.settings import Settings
from tests.bench.words import run
from tests.core.world import write


@pytest.fixture
def record(root: Path) -> BenchRecord:
    bench, ledger, _ = asyncio.run(run(root))
    return bench.record({}, ledger, remark="a <script> ran beside it")


def test_nothing_is_fetched_and_no_script_runs(record: BenchRecord) -> None:
    page = render([record])
    assert not re.findall(r"<(?:script|link|img|iframe)\b", page)
    assert not re.findall(r"(?:src|href)=\"(?!#)[^\"]*", page.replace('xlink:href="#', ""))
    assert not re.findall(r"url\(\s*['\"]?http|@import", page)
    assert "a &lt;script&gt; ran beside it" in page


def test_the_verdict_comes_first_and_every_arm_has_its_row(record: BenchRecord) -> None:
    page = render([record])
    order = [
        page.index(f'id="{name}"')
        for name in ("verdicts", "headline", "plots", "families", "books", "method")
    ]
    assert order == sorted(order)
    assert page.count("<svg") == 3
    for words in ("crew", "reference", record.verdicts[0].reason, record.data_hash[:16], "TPOT ms"):
        assert words.replace("-", "&#45;") in page or words in page


def test_every_family_has_a_panel_of_its_own_and_the_colours_are_explained(record: BenchRecord) -> None:
    other = record.model_copy(update={"benchmark": record.benchmark.model_copy(update={"name": "others"})})
    page = render([record, other])
    assert page.count("<svg") == 1 + 2 * 2
    assert re.findall(r'class="kind" style="background: (#\w+)"></span>(\w+)', page) == [
        (colour, kind) for kind, colour in kinds([record]).items()
    ]


def test_a_remark_of_several_benchmarks_is_said_once(record: BenchRecord) -> None:
    other = record.model_copy(
        update={"benchmark": record.benchmark.model_copy(update={"name": "others"}), "unscored": 2}
    )
    notes = re.findall(r'<p class="note">(.*?)</p>', render([record, other]))
    total = other.scored + 2
    assert notes == [
        "words, others: a &lt;script&gt; ran beside it",
        f"others: 2 of {total} outcomes are missing.",
    ]


def test_what_is_done_once_is_told_with_the_cases_that_make_up_for_it(record: BenchRecord) -> None:
    assert 'id="once"' not in render([record])
    once = {"crew": Once(seconds=50.0, energy_j=900.0), "reference": Once(seconds=0.1)}
    costs = {"crew": 8.0, "reference": 80.0}
    figures = tuple(
        f.model_copy(update={"costs": f.costs.model_copy(update={"energy_j": costs[f.summary.arm]})})
        for f in record.figures
    )
    page = render([record.model_copy(update={"once": once, "figures": figures})])
    table = page[page.index('id="once"') : page.index('id="books"')]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", table)
    assert cells == ["words crew", "50", "900", "100"], "900 J over 9 J saved a case"


def test_joules_of_what_is_done_once_are_not_shown_where_the_books_are_open(record: BenchRecord) -> None:
    assert record.books
    once, said = {"crew": Once(seconds=50.0, energy_j=1_862.0)}, []
    for closed in (True, False):
        books = record.books.model_copy(update={"closed": closed})
        page = render([record.model_copy(update={"once": once, "books": books})])
        said.append("1,862" in page[page.index('id="once"') : page.index('id="books"')])
    assert said == [True, False]


def test_a_price_says_when_the_machine_pays_or_why_it_does_not(record: BenchRecord) -> None:
    assert record.verdicts[0].ruling == "confirmed"
    page = render([record], price=(0.5, 1.5))
    assert "No break-even" not in page
    assert "words: what a success costs at that price is not known." in page
    refuted = record.verdicts[0].model_copy(update={"ruling": "refuted"})
    page = render([record.model_copy(update={"verdicts": (refuted,)})], price=(0.5, 1.5))
    assert "No break-even for words: not confirmed" in page
    assert "break-even" not in render([record])


def test_the_level_of_the_tests_is_said(record: BenchRecord) -> None:
    assert "5 % divided by 1, the number of families that were declared together" in render([record])


def test_two_records_of_one_benchmark_make_no_report(record: BenchRecord) -> None:
    with pytest.raises(UserError, match="two records of 'words'"):
        render([record, record])


def test_joules_that_are_not_known_are_not_drawn(record: BenchRecord) -> None:
    figures = tuple(
        figure.model_copy(update={"costs": figure.costs.model_copy(update={"energy_j": None})})
        for figure in record.figures
    )
    page = render([record.model_copy(update={"figures": figures})])
    assert page.count("<svg") == 2
    assert "No joules are shown" in page


def test_a_record_survives_being_written(record: BenchRecord, tmp_path: Path) -> None:
    file = write_record(record, tmp_path)
    assert read_record(file) == record
    assert render([read_record(file)]) == render([record])


def test_a_record_is_found_by_name_one_s_own_first(record: BenchRecord, root: Path, tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state", cache_dir=tmp_path / "cache")
    with pytest.raises(UserError, match="no record yet"):
        find_record("words", settings, [root])
    with pytest.raises(UnknownName, match="Did you mean 'words'"):
        find_record("wordz", settings, [root])
    shipped = record.model_copy(update={"remark": "shipped"})
    write_record(shipped, root / "benchmarks" / "words" / "results")
    assert find_record("words", settings, [root]).remark == "shipped"
    write_record(record, tmp_path / "state" / "bench" / "records" / "words")
    assert find_record("words", settings, [root]).remark == record.remark
    assert [found.benchmark.name for found in own_records(settings)] == ["words"]
    assert [found.remark for found in shipped_records([root])] == ["shipped"]
    for text in ("", "{torn", '{"kind": "benchmark", "schema_version": 2}', "\xff"):
        write(root, f"benchmarks/words/results/9{len(text)}.json", text)
    assert [found.remark for found in shipped_records([root])] == ["shipped"]


def test_failures_are_those_that_tell_the_arms_apart(record: BenchRecord) -> None:
    found = worst_failures(record, "test", ["crew", "reference"])
    assert found
    marks = [[cell["mark"] for cell in row["cells"]] for row in found]
    assert ["✓", "✗"] in marks, "the reference is always wrong here, the crew mostly right"
    assert all("✗" in row for row in marks)


def test_the_headline_counts_confirmed_families_only(record: BenchRecord) -> None:
    families = ruled_families([record])
    verdict = families[0].verdict
    for ruling, expected in (("confirmed", 1.0), ("refuted", 0.0)):
        ruled = families[0]._replace(verdict=verdict.model_copy(update={"ruling": ruling}))
        shares = {share.quantity: share for share in headline([ruled])}
        assert shares["calls"].replaceable == shares["joules"].replaceable == expected
        assert shares["cost"].replaceable is None, "no price is declared here"
    small, large = families[0].candidate, families[0].reference
    cheap = small.model_copy(update={"costs": small.costs.model_copy(update={"seconds": 1.0})})
    dear = large.model_copy(update={"costs": large.costs.model_copy(update={"seconds": 4.0})})
    won = verdict.model_copy(update={"ruling": "confirmed"})
    ruled = families[0]._replace(candidate=cheap, reference=dear, verdict=won)
    assert {share.quantity: share.saved for share in headline([ruled])}["seconds"] == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("value", "said"), [(None, "–"), (0.0, "0"), (0.01234, "0.0123"), (12.34, "12.3"), (1234.5, "1,234")]
)
def test_figures_are_short_and_unknown_is_no_zero(value: float | None, said: str) -> None:
    assert short(value) == said
    assert percent(None) == "–"
