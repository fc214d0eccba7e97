"""`lilliput demo`: the first real run, and what it does and does not show.

    report = await run_demo(controller, on_progress)      # runs both parts
    print(renderable(report))                             # rich: one table and one sentence
    json_file, picture_file = write_report(report, settings.state_dir)

Part (a) runs the service-desk workflow on an English and a Dutch message; `on_progress` hears every event,
and what it writes goes to a folder that is deleted. Part (b) runs the cases of `benchmarks/bfcl-demo` through
its arms. Both go through a controller like any other task. Part (b) has one of its own, limited to the
models that the benchmark names; its runs are in the user's records, so `lilliput runs show` explains each.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from orchestrator.bench.arms import Outcome, Runner, run_interleaved, warm_up
from orchestrator.bench.data import Dataset, FetchFiles, cached_fetch, open_dataset, read_dataset_card
from orchestrator.bench.environment import stamp
from orchestrator.bench.gauge import Clock, Gauge
from orchestrator.bench.origin import Origin, origin_of
from orchestrator.bench.report import full_report, picture
from orchestrator.bench.spec import Benchmark, code_of, drawn_cases, installed_keys, read_benchmark
from orchestrator.bench.summary import ArmSummary, Comparison, compare, conclusion, summarise
from orchestrator.controller import Controller, open_controller
from orchestrator.records import utc_now
from orchestrator.routing.policy import by_size
from orchestrator.types import ApprovalAsked, Event, Json, Record, RunDone, RunResult, Task

if TYPE_CHECKING:
    from rich.console import RenderableType

BENCHMARK = "bfcl-demo"
DESK = "service-desk"


# --- what is told while it runs --------------------------------------------------------------------------


class DeskStarted(Record):
    """A message goes to the service desk."""

    kind: Literal["desk_started"] = "desk_started"
    input: Json


class DeskEvent(Record):
    """What the controller told about that message."""

    kind: Literal["desk_event"] = "desk_event"
    event: Event


class WarmingUp(Record):
    """Models are being loaded with a case that does not count."""

    kind: Literal["warming_up"] = "warming_up"
    arms: tuple[str, ...]


class CaseDone(Record):
    """One case went through one arm."""

    kind: Literal["case_done"] = "case_done"
    done: int
    total: int
    outcome: Outcome


DemoProgress = DeskStarted | DeskEvent | WarmingUp | CaseDone
OnProgress = Callable[[DemoProgress], None]


# --- what comes out --------------------------------------------------------------------------------------


class DeskRun(Record):
    """One message through the service desk."""

    input: Json
    result: RunResult
    duration_s: float


class DemoReport(Origin):
    """Everything that the demo found, and what is needed to find it again. Holds no text of the data set."""

    schema_version: Literal[2] = 2
    kind: Literal["demo"] = "demo"
    desk: tuple[DeskRun, ...]
    load_s: float
    arms: tuple[ArmSummary, ...]
    comparison: Comparison
    conclusion: str
    outcomes: tuple[Outcome, ...]


# --- the run ---------------------------------------------------------------------------------------------


async def run_demo(
    controller: Controller,
    on_progress: OnProgress,
    *,
    fetch: FetchFiles | None = None,
    clock: Clock = time.perf_counter,
    now: Callable[[], str] = utc_now,
) -> DemoReport:
    """Run both parts. Raises ModelUnavailable before anything runs when a model of the demo is absent."""
    workspace, settings, made_at = controller.workspace, controller.settings, now()
    benchmark = read_benchmark(workspace.roots, BENCHMARK)
    models = installed_keys(controller.store, needed_models(controller))
    card = read_dataset_card(workspace.roots, benchmark.dataset_name)
    dataset = open_dataset(card, settings, fetch or cached_fetch(settings.cache_dir))
    desk = await _serve_desk(controller, on_progress, clock)
    async with open_controller(workspace.limited_to(benchmark.models), settings) as limited:
        load_s, outcomes = await _run_cases(limited, workspace.roots, benchmark, dataset, on_progress, clock)
    arms, comparison = _figures(benchmark, outcomes)
    return DemoReport(
        **dict(origin_of(benchmark, card, models, workspace, settings, made_at)),
        desk=desk,
        load_s=load_s,
        arms=arms,
        comparison=comparison,
        conclusion=conclusion(comparison),
        outcomes=tuple(outcomes),
    )


def needed_models(controller: Controller) -> tuple[str, ...]:
    """What must be installed: the benchmark's models, and what else the service desk cannot do without."""
    workspace = controller.workspace
    names = list(read_benchmark(workspace.roots, BENCHMARK).models)
    for step in workspace.workflow(DESK).steps:
        needs = workspace.agent(step.agent).needs if step.agent else frozenset()
        if not any(needs <= workspace.card(name).capabilities for name in names):
            able = [card for card in workspace.cards.values() if needs <= card.capabilities]
            names += [card.name for card in by_size(able)[:1]]
    return tuple(names)


async def _run_cases(
    runner: Runner,
    roots: Sequence[Path],
    benchmark: Benchmark,
    dataset: Dataset,
    on_progress: OnProgress,
    clock: Clock,
) -> tuple[float, list[Outcome]]:
    def told(done: int, total: int, outcome: Outcome) -> None:
        on_progress(CaseDone(done=done, total=total, outcome=outcome))

    code = code_of(roots, benchmark)
    drawn = drawn_cases(benchmark, code, dataset.files)
    on_progress(WarmingUp(arms=tuple(arm.name for arm in benchmark.arms)))
    warm = await warm_up(runner, benchmark.arms, drawn.spare[:1])
    outcomes = await run_interleaved(
        runner, benchmark.arms, drawn.cases, code, dataset.files, told, gauge=Gauge(clock)
    )
    return warm.load_s, outcomes


def _figures(benchmark: Benchmark, outcomes: Sequence[Outcome]) -> tuple[tuple[ArmSummary, ...], Comparison]:
    arms = tuple(summarise(arm.name, outcomes) for arm in benchmark.arms)
    first, second = benchmark.arms[:2]
    return arms, compare(first.name, second.name, outcomes)


async def _serve_desk(controller: Controller, on_progress: OnProgress, clock: Clock) -> tuple[DeskRun, ...]:
    messages = _one_per_language(controller.workspace.workflow(DESK).examples)
    with tempfile.TemporaryDirectory(prefix="lilliput-demo-") as folder:
        settings = controller.settings.model_copy(update={"state_dir": Path(folder)})
        async with open_controller(controller.workspace, settings) as desk:
            return tuple([await _serve_one(desk, message, on_progress, clock) for message in messages])


async def _serve_one(desk: Controller, message: Json, on_progress: OnProgress, clock: Clock) -> DeskRun:
    on_progress(DeskStarted(input=message))
    started_s = clock()
    async for event in desk.run(Task(workflow=DESK, input=message), approve=_approve):
        on_progress(DeskEvent(event=event))
        if isinstance(event, RunDone):
            result = event.result
    return DeskRun(input=message, result=result, duration_s=clock() - started_s)


async def _approve(asked: ApprovalAsked) -> bool:
    """The demo may write: its state folder is deleted at the end."""
    return True


def _one_per_language(examples: Sequence[Json]) -> Sequence[Json]:
    return examples[:2]


# --- the report ------------------------------------------------------------------------------------------


def renderable(report: DemoReport) -> RenderableType:
    """One table, the sentence that says what may be concluded, and notes on the data."""
    return full_report(_title(report), report.arms, report.comparison, _notes(report))


def write_report(report: DemoReport, state_dir: Path) -> tuple[Path, Path]:
    """Write the record as JSON and the table as SVG under `state_dir/demo/`."""
    folder = state_dir / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    name = stamp(report.made_at)
    record, image = folder / f"{name}.json", folder / f"{name}.svg"
    record.write_text(report.model_dump_json(indent=2) + "\n", "utf-8")
    image.write_text(picture(renderable(report), "lilliput demo"), "utf-8")
    return record, image


def _title(report: DemoReport) -> str:
    n = report.arms[0].n
    return f"{n} cases of {report.dataset.upper()}, seed {report.benchmark.seed}, no picking"


def _notes(report: DemoReport) -> str:
    arms = [f"{arm.name}: {arm.description}." for arm in report.benchmark.arms]
    loading = f"Loading the models took {report.load_s:.1f} s, once, and is in no figure above."
    paragraphs = (" ".join([*arms, loading]), report.benchmark.notes, report.dataset_notes)
    return "\n\n".join(text.strip() for text in paragraphs if text)
