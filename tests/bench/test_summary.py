"""From outcomes to figures and to one sentence; every figure in it is computed."""

from __future__ import annotations

import pytest

from orchestrator.bench.arms import Outcome
from orchestrator.bench.statistics import Pairs, paired_difference, sign_test
from orchestrator.bench.summary import Comparison, FamilyPairs, compare, conclusion, summarise
from orchestrator.types import Usage
from tests.bench.helpers import make_outcome


def comparison(both: int, only_first: int, only_second: int, neither: int, faster: int = 10) -> Comparison:
    pairs = Pairs(both=both, only_first=only_first, only_second=only_second, neither=neither)
    return Comparison(
        first="crew",
        second="reference",
        pairs=pairs,
        difference=(only_first - only_second) / pairs.n,
        interval=paired_difference(pairs),
        p_value=sign_test(only_first, only_second),
        families=(FamilyPairs(category="multiple", pairs=pairs),),
        faster_first=faster,
        faster_second=pairs.n - faster,
        faster_p_value=sign_test(faster, pairs.n - faster),
    )


def two_arms(crew: list[bool], reference: list[bool], **changes: float) -> list[Outcome]:
    return [
        *(make_outcome(n, "crew", solved, **changes) for n, solved in enumerate(crew)),
        *(make_outcome(n, "reference", solved) for n, solved in enumerate(reference)),
    ]


def test_a_summary_adds_up_one_arm_and_leaves_the_other_out() -> None:
    used = Usage(calls=2, prompt_tokens=100, completion_tokens=7, energy_j=5.0, energy_source="modelled")
    by_model = {"small": used, "code": Usage(calls=0)}
    outcomes = [
        make_outcome(1, "crew", True, latency_s=1.0, usage=used, usage_by_model=by_model, idle_energy_j=1.0),
        make_outcome(2, "crew", False, latency_s=3.0, usage=used, usage_by_model=by_model, idle_energy_j=2.0),
        make_outcome(3, "crew", False, category="irrelevance", latency_s=2.0, status="failed", load_s=0.5),
        make_outcome(1, "reference", True, latency_s=9.0, usage=used),
    ]
    summary = summarise("crew", outcomes)
    assert (summary.n, summary.solved, summary.failed_runs) == (3, 1, 1)
    assert [(f.category, f.solved, f.n) for f in summary.families] == [
        ("multiple", 1, 2),
        ("irrelevance", 0, 1),
    ]
    assert (summary.latency_p50_s, summary.load_s) == (2.0, 0.5)
    assert summary.latency_p95_s == pytest.approx(2.9)
    assert (summary.prompt_tokens, summary.completion_tokens) == (200, 14)
    assert (summary.energy_j, summary.energy_source) == (10.0, "modelled")
    assert summary.calls_by_model == {"small": 4}


def test_time_per_token_leaves_the_first_token_of_each_call_out() -> None:
    """Two calls, 12 tokens, 2 s from first to last: 10 tokens came after a first one."""
    used = Usage(calls=2, completion_tokens=12, decode_s=2.0, ttft_s=0.3)
    found = summarise("crew", [make_outcome(1, "crew", True, usage=used, usage_by_model={"small": used})])
    assert found.tpot_s == pytest.approx(0.2)
    assert found.ttft_p50_s == 0.3


def test_joules_around_a_run_belong_to_the_arm() -> None:
    used = Usage(energy_j=5.0, energy_source="modelled")
    outcomes = [make_outcome(n, "crew", True, usage=used, around_energy_j=0.5) for n in range(2)]
    assert summarise("crew", outcomes).energy_j == 11.0


def test_what_is_not_known_stays_unknown() -> None:
    summary = summarise(
        "crew", [make_outcome(1, "crew", True), make_outcome(2, "crew", True, idle_energy_j=3.0)]
    )
    assert summary.energy_j is None
    assert summary.prompt_tokens is None
    assert summary.idle_energy_j is None, "one of two is not known"


def test_arms_are_paired_by_case_whatever_the_order() -> None:
    outcomes = two_arms([True, True, False, False], [True, False, True, False], latency_s=0.5)
    found = compare("crew", "reference", outcomes[::-1])
    assert found.pairs == Pairs(both=1, only_first=1, only_second=1, neither=1)
    assert (found.difference, found.p_value) == (0.0, 1.0)
    assert (found.faster_first, found.faster_second, found.faster_p_value) == (4, 0, 0.125)


def test_arms_with_different_cases_are_not_compared() -> None:
    with pytest.raises(ValueError, match="did not answer the same cases"):
        compare("crew", "reference", two_arms([True, True], [True]))
    with pytest.raises(ValueError, match="did not answer the same cases"):
        compare("crew", "nobody", two_arms([True], [True]))


def test_a_small_difference_on_twenty_cases_shows_nothing() -> None:
    sentence = conclusion(comparison(12, 3, 2, 3))
    assert sentence.startswith(
        "On these 20 cases the crew solved 15 and the reference 14 (multiple 15 to 14; +5 points"
    )
    assert "exact McNemar p = 1 from 5 cases" in sentence
    assert "they do not show which of the two solves more or is faster" in sentence
    assert "would take about" in sentence


def test_a_faster_crew_may_be_concluded_while_success_may_not() -> None:
    sentence = conclusion(comparison(14, 1, 1, 4, faster=18))
    assert "they show that the crew is faster on this machine (in 18 of 20" in sentence
    assert "still allows the crew to be" in sentence


def test_a_crew_that_loses_is_said_to_lose() -> None:
    sentence = conclusion(comparison(5, 0, 9, 6, faster=2))
    assert "they show that the reference solves more of such a mix of cases" in sentence
    assert "and that the reference is faster on this machine (in 18 of 20" in sentence
    assert "does not say by how much" in sentence
    assert "would take about" not in sentence


def test_a_crew_that_cannot_be_much_worse_is_not_asked_for_more_cases() -> None:
    table = comparison(900, 12, 10, 78)
    assert table.p_value > 0.05
    assert table.interval.low > -0.05
    assert "would take about" not in conclusion(table)


def test_a_breakdown_that_counts_as_solved_is_counted_apart() -> None:
    broken = make_outcome(1, "crew", True).model_copy(update={"status": "failed"})
    found = summarise("crew", [make_outcome(0, "crew", True), broken])
    assert (found.solved, found.failed_runs, found.failed_but_solved) == (2, 1, 1)


def test_the_sentence_is_one_sentence() -> None:
    for cells in [(12, 3, 2, 3), (5, 0, 9, 6), (20, 0, 0, 0), (0, 0, 0, 20)]:
        sentence = conclusion(comparison(*cells))
        assert sentence.endswith(".")
        assert ". " not in sentence.removesuffix(".")


def test_the_sentence_says_where_a_difference_comes_from() -> None:
    outcomes = [
        *two_arms([True, False], [True, False]),
        make_outcome(9, "crew", True, category="irrelevance"),
        make_outcome(9, "reference", False, category="irrelevance"),
    ]
    found = compare("crew", "reference", outcomes)
    assert [(f.category, f.pairs.first, f.pairs.second) for f in found.families] == [
        ("multiple", 1, 1),
        ("irrelevance", 1, 0),
    ]
    assert "(multiple 1 to 1, irrelevance 1 to 0; +33 points" in conclusion(found)
