"""S4: which base and which method, by a quick try on some of the rows; with what each would cost.

A try trains on a few hundred rows and judges on development rows; the test rows stay unseen. The best comes
first, but one that is as good within chance and quicker to train comes before it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

from orchestrator.errors import UserError
from orchestrator.learning.examples import Example
from orchestrator.learning.recipes import Recipe
from orchestrator.learning.training import Purpose, Splits, fit, splits
from orchestrator.settings import Settings
from orchestrator.store import ModelStore
from orchestrator.types import Record

_ROWS, _DEV_ROWS, _EPOCHS = 300, 150, 3


class Candidate(Record):
    """One recipe. `quality`: of the try, on development rows; None: it was not tried, and `reason` says why.

    `training_s` is what training on all rows is expected to take at most, from the try; it may stop early.
    """

    recipe: str
    base: str
    method: str
    licence: str
    memory_bytes: int | None
    quality: float | None
    training_s: float | None
    reason: str


async def choose(
    purpose: Purpose,
    recipes: Sequence[Recipe],
    examples: Sequence[Example],
    *,
    store: ModelStore,
    settings: Settings,
    work: Path,
) -> list[Candidate]:
    """Every recipe, the one to take first. Raises UserError where there are too few examples to try."""
    rows = splits(examples)
    few = {"train": rows["train"][:_ROWS], "dev": rows["dev"][:_DEV_ROWS]}
    tried = [
        await _tried(purpose, recipe, few, len(rows["train"]), store, settings, work) for recipe in recipes
    ]
    return _ranked(tried, len(few["dev"]))


async def _tried(
    purpose: Purpose,
    recipe: Recipe,
    few: Splits,
    all_rows: int,
    store: ModelStore,
    settings: Settings,
    work: Path,
) -> Candidate:
    """Installed bases only: a try must not download."""
    if store.state(recipe.base) != "installed":
        return _candidate(recipe, store, None, None, f"lilliput models pull {recipe.base}")
    short = recipe.model_copy(update={"epochs": min(recipe.epochs, _EPOCHS)})
    started = time.perf_counter()
    try:
        trained = (await fit(purpose, short, few, store, settings, work, lambda epoch: None)).trained
    except (UserError, ImportError) as error:
        return _candidate(recipe, store, None, None, str(error))
    took_s = time.perf_counter() - started
    rounds = 1 if recipe.method == "head" else recipe.epochs / short.epochs
    expected_s = took_s * rounds * all_rows / len(few["train"])
    return _candidate(recipe, store, trained.best.dev_quality, expected_s, "")


def _candidate(
    recipe: Recipe, store: ModelStore, quality: float | None, training_s: float | None, reason: str
) -> Candidate:
    card = store.cards[recipe.base]
    return Candidate(
        recipe=recipe.name,
        base=recipe.base,
        method=recipe.method,
        licence=card.licence,
        memory_bytes=card.memory_bytes,
        quality=quality,
        training_s=training_s,
        reason=reason,
    )


def _ranked(tried: Sequence[Candidate], n: int) -> list[Candidate]:
    """Those within one standard error of the best are as good; of these the quickest to train is taken."""
    known = [each for each in tried if each.quality is not None]
    others = [each for each in tried if each.quality is None]
    best = max((each.quality or 0.0 for each in known), default=0.0)
    chance = math.sqrt(max(best * (1 - best), 0.01) / max(n, 1))
    ordered = sorted(known, key=lambda each: _order(each, best, chance))
    return [*(_explained(each, best, chance, n) for each in ordered), *others]


def _order(each: Candidate, best: float, chance: float) -> tuple[bool, float]:
    quality = each.quality or 0.0
    as_good = quality >= best - chance
    return (not as_good, (each.training_s or 0.0) if as_good else -quality)


def _explained(each: Candidate, best: float, chance: float, n: int) -> Candidate:
    quality = each.quality or 0.0
    if quality == best:
        reason = f"best on {n} development rows"
    elif quality >= best - chance:
        reason = f"as good as the best within chance ({n} rows)"
    else:
        reason = f"{100 * (best - quality):.1f} points less than the best"
    return each.model_copy(update={"reason": reason})
