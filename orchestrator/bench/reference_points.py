"""Measure what each small model can do alone: one tool, one call, constrained and not.

    python -m orchestrator.bench.reference_points      # writes benchmarks/bfcl-simple/results/<time>.json

The same figures were measured independently (n = 40, other cases of the same category): SmolLM2-135M 0.28
constrained and 0.00 not; Qwen 0.5B 0.93 and 0.85. A product that cannot come near them is broken somewhere
between the prompt and the parser. Runs go through the controller, like any task.

Only success is measured. Arms with one prompt follow each other here, and the runtime keeps what it has read,
so the times in the record favour whoever came second.
"""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
from pathlib import Path
from typing import Any, Literal

from orchestrator.bench.arms import OnOutcome, Outcome, run_interleaved, warm_up
from orchestrator.bench.data import named_dataset
from orchestrator.bench.origin import Origin, origin_of, write_record
from orchestrator.bench.spec import code_of, drawn_cases, installed_keys, read_benchmark
from orchestrator.bench.summary import ArmSummary, summarise
from orchestrator.controller import open_controller
from orchestrator.records import utc_now
from orchestrator.settings import Settings, load_settings
from orchestrator.workspace import Workspace, builtin_root

BENCHMARK = "bfcl-simple"
_LOG = logging.getLogger(__name__)


class PointsReport(Origin):
    """One summary per arm, and every outcome. Holds case ids and outputs, no text of the data set."""

    schema_version: Literal[2] = 2
    kind: Literal["reference-points"] = "reference-points"
    load_s: float
    arms: tuple[ArmSummary, ...]
    outcomes: tuple[Outcome, ...]


def points_workspace(root: Path) -> Workspace:
    """The built-in workspace with the benchmark's own agent laid over it."""
    return Workspace((root, root / "benchmarks" / BENCHMARK))


async def measure(workspace: Workspace, settings: Settings, on_outcome: OnOutcome) -> PointsReport:
    """Every case through every arm of the benchmark. Raises ModelUnavailable when a model is absent."""
    benchmark, made_at = read_benchmark(workspace.roots, BENCHMARK), utc_now()
    dataset = named_dataset(workspace.roots, benchmark.dataset_name, settings)
    code = code_of(workspace.roots, benchmark)
    drawn = drawn_cases(benchmark, code, dataset.files)
    async with open_controller(workspace.limited_to(benchmark.models), settings) as controller:
        models = installed_keys(controller.store, benchmark.models)
        warm = await warm_up(controller, benchmark.arms, drawn.spare[:1])
        outcomes = await run_interleaved(
            controller, benchmark.arms, drawn.cases, code, dataset.files, on_outcome
        )
    return PointsReport(
        **dict(origin_of(benchmark, dataset.card, models, workspace, settings, made_at)),
        load_s=warm.load_s,
        arms=tuple(summarise(arm.name, outcomes) for arm in benchmark.arms),
        outcomes=tuple(outcomes),
    )


def main() -> None:
    """Measure with the user's settings; runs are recorded in a folder that is deleted."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    root = builtin_root()
    with tempfile.TemporaryDirectory(prefix="lilliput-points-") as folder:
        arguments: dict[str, Any] = {"state_dir": Path(folder)}
        settings = load_settings(points_workspace(root).settings_files, arguments=arguments).settings
        report = asyncio.run(measure(points_workspace(root), settings, _log_outcome))
    file = write_record(report, root / "benchmarks" / BENCHMARK / "results")
    for arm in report.arms:
        _LOG.info("%-28s %2d / %d  p50 %.2f s", arm.arm, arm.solved, arm.n, arm.latency_p50_s or 0)
    _LOG.info("%s", file)


def _log_outcome(done: int, total: int, outcome: Outcome) -> None:
    word = "right" if outcome.solved else f"wrong ({outcome.kind})"
    text = json.dumps(outcome.output, ensure_ascii=False)[:120]
    _LOG.info("%3d/%d %-28s %-18s %s %s", done, total, outcome.arm, outcome.case_id, word, text)


if __name__ == "__main__":
    main()
