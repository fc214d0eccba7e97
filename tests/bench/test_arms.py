"""Cases go through arms interleaved; what counts as solved; what is timed."""

from __future__ import annotations

import pytest

from orchestrator.bench.arms import Once, Outcome, estimate, run_interleaved, warm_up
from orchestrator.bench.cases import Case
from orchestrator.bench.gauge import Gauge
from orchestrator.bench.spec import Arm
from orchestrator.errors import ModelUnavailable
from orchestrator.types import Json, RunResult, Task, Usage
from tests.bench.helpers import CODE, RIGHT, WRONG, FakeRunner, make_case, make_outcome, make_result, ticking

CREW = Arm(name="crew", workflow="tool-use", route="cascade")
REFERENCE = Arm(name="reference", kind="reference", agent="use-tool", route="fixed:large")


async def run(
    runner: FakeRunner, cases: list[Case], *readings_s: float
) -> tuple[list[Outcome], list[tuple[int, int, str]]]:
    heard: list[tuple[int, int, str]] = []
    outcomes = await run_interleaved(
        runner,
        [CREW, REFERENCE],
        cases,
        CODE,
        {},
        lambda done, total, outcome: heard.append((done, total, outcome.arm)),
        gauge=Gauge(ticking(*readings_s)) if readings_s else None,
    )
    return outcomes, heard


@pytest.mark.anyio
async def test_arms_alternate_and_progress_counts_up() -> None:
    runner = FakeRunner(lambda task: make_result(RIGHT))
    outcomes, heard = await run(runner, [make_case(n) for n in range(3)])
    assert [outcome.arm for outcome in outcomes] == [
        "crew",
        "reference",
        "reference",
        "crew",
        "crew",
        "reference",
    ]
    assert heard[0] == (1, 6, "crew")
    assert heard[-1] == (6, 6, "reference")
    assert [task.workflow or task.agent for task in runner.tasks[:2]] == ["tool-use", "use-tool"]
    assert {task.input["text"] for task in runner.tasks[:2]} == {"question 0"}
    assert [task.cache_salt for task in runner.tasks[:2]] == ["crew", "reference"], (
        "no arm finds another's prompt"
    )
    assert runner.tasks[0].input["tools"] == runner.tasks[1].input["tools"]


@pytest.mark.anyio
async def test_right_wrong_and_abstained_are_scored() -> None:
    def answer(task: Task) -> RunResult:
        return make_result(RIGHT if task.workflow else WRONG)

    outcomes, _ = await run(FakeRunner(answer), [make_case(1), make_case(2, "irrelevance")])
    assert [(o.arm, o.category, o.solved) for o in outcomes] == [
        ("crew", "multiple", True),
        ("reference", "multiple", False),
        ("reference", "irrelevance", False),
        ("crew", "irrelevance", False),
    ]
    abstained, _ = await run(FakeRunner(lambda task: make_result(None)), [make_case(3, "irrelevance")])
    assert all(outcome.solved for outcome in abstained)


@pytest.mark.anyio
async def test_a_failed_run_is_scored_as_no_call() -> None:
    runner = FakeRunner(lambda task: make_result(None, status="failed"))
    outcomes, _ = await run(runner, [make_case(1), make_case(2, "irrelevance")])
    assert [(o.category, o.solved, o.kind) for o in outcomes[1:3]] == [
        ("multiple", False, "run_failed"),
        ("irrelevance", True, None),
    ]
    assert {(o.status, o.error) for o in outcomes} == {("failed", "it broke")}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("category", "said", "crew", "reference"),
    [
        ("multiple", RIGHT, 0.0, 1.0),
        ("multiple", WRONG, 0.0, 0.0),
        ("irrelevance", WRONG, 1.0, 1.0),
    ],
)
async def test_a_refused_answer_counts_for_a_reference_alone(
    category: str, said: Json, crew: float, reference: float
) -> None:
    refused = make_result(None, status="failed").model_copy(update={"refused": said})
    outcomes, _ = await run(FakeRunner(lambda task: refused), [make_case(1, category)])
    assert [(o.arm, o.grade) for o in outcomes] == [("crew", crew), ("reference", reference)]
    assert {o.status for o in outcomes} == {"failed"}
    assert [o.output for o in outcomes] == [None, said if said is RIGHT else None]


@pytest.mark.anyio
async def test_an_answer_of_another_shape_is_wrong_not_an_abstention() -> None:
    outcomes, _ = await run(FakeRunner(lambda task: make_result("no")), [make_case(1, "irrelevance")])
    assert {(o.solved, o.kind) for o in outcomes} == {(False, "no_call_format")}


@pytest.mark.anyio
async def test_latency_leaves_loading_out() -> None:
    runner = FakeRunner(lambda task: make_result(RIGHT, load_s=1.5 if task.workflow else None))
    outcomes, _ = await run(runner, [make_case(1)], 10.0, 14.0, 20.0, 23.0)
    assert [(o.latency_s, o.load_s) for o in outcomes] == [(2.5, 1.5), (3.0, 0.0)]
    assert outcomes[0].usage_by_model["small"].prompt_tokens == 100


@pytest.mark.anyio
async def test_an_error_of_ours_is_not_swallowed() -> None:
    def refuse(task: Task) -> RunResult:
        raise ModelUnavailable("nothing is installed")

    with pytest.raises(ModelUnavailable):
        await run(FakeRunner(refuse), [make_case(1)])


async def test_warming_up_times_the_last_case_without_what_it_loads_once() -> None:
    runner = FakeRunner(lambda task: make_result(RIGHT, load_s=0.5))
    gauge = Gauge(ticking(0.0, 60.0, 60.0, 70.0, 70.0, 73.0, 73.0, 75.0))
    found = await warm_up(runner, [CREW, REFERENCE], [make_case(1), make_case(2)], gauge)
    assert found.load_s == 4 * 0.5
    assert found.case_s == {"crew": 2.5, "reference": 1.5}


async def test_what_is_done_once_is_told_apart_from_how_long_a_case_takes() -> None:
    first = {
        "encoder": Usage(calls=1, duration_s=50.0, energy_j=900.0),
        "large": Usage(calls=1, completion_tokens=9, duration_s=30.0, energy_j=500.0),
        "overhead": Usage(energy_j=70.0),
    }
    later = {**first, "encoder": Usage(calls=1, duration_s=2.0, energy_j=100.0)}
    told = iter([first, later])
    runner = FakeRunner(lambda task: make_result(RIGHT).model_copy(update={"usage_by_model": next(told)}))
    found = await warm_up(runner, [CREW], [make_case(1), make_case(2)])
    assert found.once == {"crew": Once(seconds=48.0, energy_j=800.0)}


def test_an_estimate_goes_by_what_was_measured_and_else_by_the_warm_up() -> None:
    wanted = [(f"multiple_{n}", arm, 0) for n in range(4) for arm in ("crew", "reference")]
    done = [make_outcome(0, "crew", True, latency_s=2.0), make_outcome(1, "crew", True, latency_s=4.0)]
    found = estimate([CREW, REFERENCE], wanted, done, {"crew": 99.0, "reference": 10.0})
    assert found.case_s == {"crew": 3.0, "reference": 10.0}
    assert (found.left, found.total_s) == (6, 2 * 3.0 + 4 * 10.0)
