"""The specialists on the whole test splits of their data sets, with nothing beside them.

    python benchmarks/whole-splits/measure.py        # writes result.json; LILLIPUT_DATA_DIR names the data

Rulings rest on as many cases as were declared before; these figures are to be held against other people's.
Same data, scorers and controller: it is `lilliput bench run NAME --whole --arm specialist` for each benchmark
of the suite. What is not installed or not there is left out.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.bench.arms import Outcome
from orchestrator.bench.environment import describe_environment
from orchestrator.bench.risk import risk_of
from orchestrator.bench.running import Bench
from orchestrator.bench.suite import read_suite
from orchestrator.errors import LilliputError
from orchestrator.routing import named_models
from orchestrator.routing.guarantee import Outcome as Judged
from orchestrator.settings import Settings, load_settings
from orchestrator.store.files import replace_text
from orchestrator.workspace import Workspace, builtin_root, find_workspace

ARM, MAX_WRONG = "specialist", 0.05


async def main() -> None:
    settings, workspace = load_settings().settings, find_workspace()
    found: dict[str, Any] = {}
    suite = read_suite(workspace.roots, "specialists")
    for name in [each for each in suite if not each.endswith("-again")]:  # the same cases once more
        try:
            found[name] = await _measured(workspace, settings, name)
        except LilliputError as problem:
            sys.stderr.write(f"{name} is left out: {problem}\n")
        else:
            sys.stderr.write(f"{name}: {json.dumps(found[name])}\n")
    found["environment"] = describe_environment(builtin_root()).model_dump(mode="json")
    replace_text(Path(__file__).parent / "result.json", json.dumps(found, indent=1) + "\n")


async def _measured(workspace: Workspace, settings: Settings, name: str) -> dict[str, Any]:
    bench = Bench(workspace, settings, name, whole=True)
    ledger = await bench.run(lambda done, total, outcome: None, [ARM])
    wanted = {case.id: case for case in bench.cases}
    own = [each for each in ledger.outcomes if each.arm == ARM and each.case_id in wanted]
    metrics = bench.code.metrics([(wanted[each.case_id], each.output) for each in own])
    return {
        **_figures(own, metrics),
        **_promise(own),
        "models": _asked(bench),
        "data_hash": bench.card.data_hash,
        "commit": sorted({str(each.commit) for each in own}),
    }


def _figures(own: Sequence[Outcome], metrics: Mapping[str, float]) -> dict[str, float]:
    """`right`: the share of cases that are wholly right; `mean`: the mean grade; then the data set's own."""
    right = sum(each.solved for each in own) / len(own)
    mean = sum(each.grade for each in own) / len(own)
    rounded = {name: round(value, 4) for name, value in {"right": right, "mean": mean, **metrics}.items()}
    return {"n": len(own), **rounded}


def _promise(own: Sequence[Outcome]) -> dict[str, Any]:
    """What `bench risk` finds of them: thresholds proven on one half, held to on the other, for 5 % wrong."""
    sure = [Judged(each.confidence or 0.0, each.solved) for each in own]
    if not any(each.confidence for each in sure):
        return {}
    found = risk_of(ARM, sure, MAX_WRONG, splits=200, seed=1)
    return {"accepted": found.model_dump(include={"max_wrong", "splits", "violated", "coverage", "wrong"})}


def _asked(bench: Bench) -> dict[str, str]:
    """The models of the arm's route, with what stands for their weights."""
    (route,) = (arm.route for arm in bench.benchmark.arms if arm.name == ARM)
    models = bench.models()
    return {name: models[name] for name in named_models(route)}


if __name__ == "__main__":
    asyncio.run(main())
