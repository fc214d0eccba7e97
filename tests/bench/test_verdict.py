"""Each of the three rulings can come out, and for the right reason."""

from __future__ import annotations

import pytest

from orchestrator.bench.arms import Outcome
from orchestrator.bench.spec import Arm, Benchmark, Family
from orchestrator.bench.verdict import Design, Verdict, verdicts
from orchestrator.types import Usage
from tests.bench.helpers import make_outcome


def benchmark(*categories: str) -> Benchmark:
    return Benchmark(
        name="b",
        description="",
        dataset="d",
        seed=1,
        families=tuple(Family(category=name) for name in categories or ("multiple",)),
        arms=(
            Arm(name="crew", agent="a", route="cascade"),
            Arm(name="reference", kind="reference", agent="a", route="fixed:large"),
            Arm(name="floor", kind="floor", agent="f", route="cascade"),
        ),
    )


def grades(arm: str, solved: int, n: int, category: str = "multiple", first: int = 0) -> list[Outcome]:
    """The first `solved` of n cases are solved, counted from case `first`."""
    return [
        make_outcome(case, arm, (case - first) % n < solved, category=category, case_id=f"{category}_{case}")
        for case in range(n)
    ]


def rule(crew: int, reference: int, floor: int, n: int = 400, first: int = 0) -> Verdict:
    outcomes = [*grades("crew", crew, n), *grades("reference", reference, n, first=first)]
    (found,) = verdicts(benchmark(), [*outcomes, *grades("floor", floor, n)], design(n))
    return found


def design(n: int, families_tested: int = 1) -> Design:
    return Design(cases={"multiple": n}, families_tested=families_tested)


def test_as_good_within_the_margin_is_confirmed() -> None:
    found = rule(crew=360, reference=362, floor=100)
    assert (found.ruling, found.floor) == ("confirmed", "floor")
    assert found.reason.startswith("at most 5 points worse")
    assert (found.candidate_rate, found.reference_rate) == (0.9, 0.905)


def test_much_worse_is_refuted() -> None:
    found = rule(crew=200, reference=360, floor=20)
    assert found.ruling == "refuted"
    assert found.reason.startswith("worse by more than 5 points")


def test_too_few_cases_are_inconclusive_and_say_how_many_are_needed() -> None:
    found = rule(crew=18, reference=19, floor=2, n=22, first=3)
    assert found.ruling == "inconclusive"
    assert "0.80 needs n =" in found.reason
    assert found.difference.power < 0.8


def test_a_little_worse_than_the_margin_is_neither() -> None:
    assert rule(crew=370, reference=393, floor=20).ruling == "inconclusive"


@pytest.mark.parametrize("floor", [345, 360, 399])
def test_a_floor_within_the_margin_of_the_reference_is_no_evidence(floor: int) -> None:
    found = rule(crew=360, reference=360, floor=floor)
    assert found.ruling == "inconclusive"
    assert "the trivial floor does as well as the reference" in found.reason


def test_a_floor_that_ties_does_not_save_a_bad_crew() -> None:
    assert rule(crew=100, reference=360, floor=360).ruling == "refuted"


def test_one_of_many_families_needs_more_evidence_whatever_the_others_say() -> None:
    one = [*grades("crew", 95, 100), *grades("reference", 96, 100), *grades("floor", 0, 100)]
    alone, among = (verdicts(benchmark(), one, design(100, many))[0] for many in (1, 20))
    assert (alone.ruling, among.ruling) == ("confirmed", "inconclusive")
    assert alone.p_value == among.p_value < 0.05
    assert among.difference.interval.low < -0.05 < alone.difference.interval.low
    assert among.difference.power < alone.difference.power


@pytest.mark.parametrize(("crew", "reference"), [(360, 362), (200, 360)])
def test_there_is_no_ruling_before_all_declared_cases_are_run(crew: int, reference: int) -> None:
    outcomes = [*grades("crew", crew, 400), *grades("reference", reference, 400), *grades("floor", 0, 400)]
    (early,) = verdicts(benchmark(), outcomes, design(401))
    (due,) = verdicts(benchmark(), outcomes, design(400))
    assert (early.ruling, early.declared_n) == ("inconclusive", 401)
    assert early.reason.startswith("400 of 401 declared cases, no ruling before all are run: ")
    assert due.ruling != "inconclusive"


@pytest.mark.parametrize("late", ["reference-few", "floor"])
def test_there_is_no_ruling_before_every_reference_and_floor_has_answered(late: str) -> None:
    base = benchmark()
    few = Arm(name="reference-few", kind="reference", agent="a", route="fixed:large")
    wider = base.model_copy(update={"arms": (*base.arms, few)})
    solved = {"crew": 360, "reference": 200, "reference-few": 300, "floor": 10}
    every = [outcome for arm, n in solved.items() for outcome in grades(arm, n, 400)]
    without = [outcome for outcome in every if outcome.arm != late]
    one_short = [outcome for outcome in every if (outcome.arm, outcome.case_id) != (late, "multiple_7")]
    for outcomes in (without, one_short):
        (early,) = verdicts(wider, outcomes, design(400))
        assert early.ruling == "inconclusive"
        assert early.reason.startswith(f"no ruling before all 400 cases were run through {late} too: ")
    assert verdicts(wider, every, design(400))[0].ruling == "confirmed"


def test_there_is_no_ruling_before_every_repeat_is_run() -> None:
    thrice = benchmark().model_copy(update={"repeats": 3})
    solved = {"crew": 360, "reference": 362, "floor": 10}
    once = [outcome for arm, n in solved.items() for outcome in grades(arm, n, 400)]
    again = [outcome.model_copy(update={"repeat": repeat}) for outcome in once for repeat in (1, 2)]
    assert verdicts(thrice, once, design(400))[0].ruling == "inconclusive"
    assert verdicts(thrice, [*once, *again[:-1]], design(400))[0].ruling == "inconclusive"
    assert verdicts(thrice, [*once, *again], design(400))[0].ruling == "confirmed"


def test_a_case_has_the_mean_grade_of_its_repeats() -> None:
    twice = benchmark().model_copy(update={"repeats": 2})
    outcomes = [*grades("crew", 10, 10), *grades("reference", 0, 10)]
    worse = [outcome.model_copy(update={"repeat": 1, "grade": 0.0}) for outcome in outcomes]
    for both in ([*outcomes, *worse], [*worse, *outcomes]):
        assert verdicts(twice, both, design(10))[0].candidate_rate == 0.5


def test_the_best_floor_counts() -> None:
    base = benchmark()
    other = Arm(name="other-floor", kind="floor", agent="f", route="cascade")
    wider = base.model_copy(update={"arms": (*base.arms, other)})
    outcomes = [*grades("crew", 360, 400), *grades("reference", 360, 400)]
    floors = [*grades("floor", 10, 400), *grades("other-floor", 350, 400)]
    (found,) = verdicts(wider, [*outcomes, *floors], design(400))
    assert (found.floor, found.ruling) == ("other-floor", "inconclusive")


def test_a_reference_that_answered_one_case_is_not_the_strongest() -> None:
    base = benchmark()
    few = Arm(name="reference-few", kind="reference", agent="a", route="fixed:large")
    outcomes = [*grades("crew", 50, 100), *grades("reference", 80, 100), *grades("reference-few", 1, 1)]
    (found,) = verdicts(base.model_copy(update={"arms": (*base.arms, few)}), outcomes, design(100))
    assert (found.reference, found.difference.n) == ("reference", 100)


def test_repeats_are_not_counted_as_cases() -> None:
    outcomes = [*grades("crew", 9, 10), *grades("reference", 9, 10)]
    again = [outcome.model_copy(update={"repeat": 1}) for outcome in outcomes]
    (found,) = verdicts(benchmark(), [*outcomes, *again], design(10))
    assert found.difference.n == 10


def test_the_strongest_reference_counts() -> None:
    base = benchmark()
    few = Arm(name="reference-few", kind="reference", agent="a", route="fixed:large")
    outcomes = [*grades("crew", 50, 100), *grades("reference", 30, 100), *grades("reference-few", 90, 100)]
    outcomes += grades("floor", 0, 100)
    (found,) = verdicts(base.model_copy(update={"arms": (*base.arms, few)}), outcomes, design(100))
    assert (found.reference, found.ruling) == ("reference-few", "refuted")
    assert verdicts(base, outcomes, design(100))[0].reference == "reference"


def test_only_cases_that_both_answered_count() -> None:
    outcomes = [*grades("crew", 10, 10), *grades("reference", 5, 5)]
    (found,) = verdicts(benchmark(), outcomes, design(5))
    assert found.difference.n == 5
    assert verdicts(benchmark(), grades("crew", 3, 5), design(5)) == []


def broken(outcome: Outcome) -> Outcome:
    return outcome.model_copy(update={"status": "failed", "usage": Usage()})


@pytest.mark.parametrize("arm", ["crew", "reference"])
def test_an_arm_that_is_out_of_order_is_no_comparison(arm: str) -> None:
    solved = {"crew": 380, "reference": 380, arm: 0}
    outcomes = [found for name, many in solved.items() for found in grades(name, many, 400)]
    spec = benchmark()
    spec = spec.model_copy(update={"arms": spec.arms[:2]})
    (before,) = verdicts(spec, outcomes, design(400))
    assert before.ruling == {"crew": "refuted", "reference": "confirmed"}[arm], "bad answers count"
    outcomes = [broken(found) if found.arm == arm else found for found in outcomes]
    (after,) = verdicts(spec, outcomes, design(400))
    assert after.ruling == "inconclusive"
    assert after.reason.startswith(f"no ruling: no run of {arm} was completed")


def test_an_arm_that_always_fails_after_a_model_was_asked_counts() -> None:
    used = Usage(calls=1)
    crew = [broken(found).model_copy(update={"usage": used}) for found in grades("crew", 0, 400)]
    outcomes = [*crew, *grades("reference", 300, 400), *grades("floor", 0, 400)]
    (found,) = verdicts(benchmark(), outcomes, design(400))
    assert found.ruling == "refuted"


def test_without_a_reference_there_is_nothing_to_rule_on() -> None:
    spec = benchmark()
    alone = spec.model_copy(update={"arms": tuple(arm for arm in spec.arms if arm.kind != "reference")})
    assert verdicts(alone, grades("crew", 1, 2), design(2)) == []
