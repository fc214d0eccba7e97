"""CLINC150's test split once more, where nothing may be sent away.

    python benchmarks/whole-splits/in_scope.py clinc150-2 clinc150-3     # writes in_scope.json

A specialist tells a message either one of 150 intents or that none fits, and `result.json` counts what was
sent away by mistake as wrong. Other people's tables ask two questions instead: how often is the likeliest of
the 150 intents right (`in_scope_accuracy`), and how many of the messages that fit none are found (`recall`)
where so many of the others may be lost? For the second the line is drawn on the test rows themselves,
as in those tables: it says how well the two kinds are told apart, not what a line does that was drawn before.

The exported int8 model, one message at a time; its scores are read, and nothing decides about them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.bench.cases import Case
from orchestrator.bench.data import named_dataset
from orchestrator.bench.environment import describe_environment
from orchestrator.runtimes.base import Classifier, LoadOptions
from orchestrator.runtimes.registry import load_session
from orchestrator.settings import Settings, load_settings
from orchestrator.store import ModelStore
from orchestrator.store.files import replace_text
from orchestrator.tools import load_module
from orchestrator.workspace import builtin_root, find_workspace

HERE = Path(__file__).parent
MAY_BE_LOST = (0.01, 0.02, 0.03)
Floats, Bools = NDArray[np.float32], NDArray[np.bool_]


def figures(
    probabilities: Floats, labels: Sequence[str | None], gold: Sequence[str | None]
) -> dict[str, Any]:
    """`probabilities`: (texts, labels), with None among `labels`; `gold`: None where no label fits."""
    none = list(labels).index(None)
    named = np.delete(probabilities, none, axis=1)
    names = [label for label in labels if label is not None]
    fits = np.array([label is not None for label in gold])
    right = np.array([names[place] == label for place, label in zip(named.argmax(axis=1), gold, strict=True)])
    # How much likelier the best intent is than none; a line at some value of it sends away what lies below.
    lead = np.log(named.max(axis=1) + 1e-12) - np.log(probabilities[:, none] + 1e-12)
    lines = {f"{share:.0%} lost": float(np.quantile(lead[fits], share)) for share in MAY_BE_LOST}
    return {
        "n_in_scope": int(fits.sum()),
        "n_out_of_scope": int((~fits).sum()),
        "in_scope_accuracy": round(float(right[fits].mean()), 4),
        **{name: _told_apart(lead, line, fits, right) for name, line in lines.items()},
        "as_drawn_before": _told_apart(lead, 0.0, fits, right),
    }


def _told_apart(lead: Floats, line: float, fits: Bools, right: Bools) -> dict[str, float]:
    """`lost`: sent away though an intent fits; `recall`: sent away and rightly."""
    kept = lead >= line
    shares = {"lost": ~kept[fits], "recall": ~kept[~fits], "right_and_kept": (right & kept)[fits]}
    return {name: round(float(found.mean()), 4) for name, found in shares.items()}


async def main(names: Sequence[str]) -> None:
    settings, workspace = load_settings().settings, find_workspace()
    data = named_dataset(workspace.roots, "clinc150", settings)
    cases = list(load_module(HERE.parent / "clinc150" / "score.py").read_cases(data.files, "test"))
    found: dict[str, Any] = {}
    store = ModelStore(settings.cache_dir, workspace.cards, workspace.card_folders)
    for name in names:
        found[name] = await _measured(store, settings, name, cases)
        sys.stderr.write(f"{name}: {json.dumps(found[name])}\n")
    found["data_hash"] = data.card.data_hash
    found["environment"] = describe_environment(builtin_root()).model_dump(mode="json")
    replace_text(HERE / "in_scope.json", json.dumps(found, indent=1) + "\n")


async def _measured(
    store: ModelStore, settings: Settings, name: str, cases: Sequence[Case]
) -> dict[str, Any]:
    session = load_session(
        store.cards[name], LoadOptions(folder=store.folder(name), threads=settings.threads)
    )
    if not isinstance(session, Classifier):
        raise SystemExit(f"{name} sorts no texts.")
    try:
        read = await session.classify([case.inputs["text"] for case in cases])
        labels = session.labels
    finally:
        session.close()
    return {
        **figures(read.probabilities, labels, [case.gold for case in cases]),
        "ms_a_text": round(1000 * read.duration_s / len(cases), 1),
        "model_key": store.key(name),
    }


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or ["clinc150-2"]))
