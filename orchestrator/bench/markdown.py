"""The verdicts as a Markdown table, for a README: generated from records, never typed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from orchestrator.bench.headline import Ruled, ruled_families, times_less
from orchestrator.bench.plots import family_name
from orchestrator.bench.record import BenchRecord
from orchestrator.bench.verdict import Ruling, Verdict

END = "<!-- end of verdicts -->"
_HEAD = (
    "| subtask | verdict | small | larger | difference | n | time of a success | energy of a success |",
    "|---|---|---|---|---|---|---|---|",
)


def verdict_table(records: Sequence[BenchRecord]) -> str:
    """How many rulings of each kind, then one row a family.

    Ratios are larger over small, of the arms that were compared, failures included.
    """
    families = ruled_families(records)
    return "\n".join([_count(families), "", *_HEAD, *map(_row, families)]) + "\n"


def with_table(text: str, records: Sequence[BenchRecord], suite: str) -> str:
    """`text` with the table between the suite's two markers. Raises ValueError where they are not there."""
    marker = begin_of(suite)
    before, begin, rest = text.partition(marker)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the text has no {marker} with {END} after it")
    return f"{before}{marker}\n{verdict_table(records)}{END}{after}"


def begin_of(suite: str) -> str:
    return f"<!-- verdicts of {suite}: make readme -->"


def _count(families: Sequence[Ruled]) -> str:
    found = Counter(ruled.verdict.ruling for ruled in families)
    said = ", ".join(f"{found[ruling]} {ruling}" for ruling in get_args(Ruling))
    shown = sum(
        ruled.verdict.difference.interval.low > -ruled.verdict.difference.margin for ruled in families
    )
    beside = "" if shown == found["confirmed"] else f" By the interval alone {shown} are non-inferior."
    return f"So far, of {len(families)} families: **{said}**.{beside}"


def _row(ruled: Ruled) -> str:
    verdict = ruled.verdict
    interval = verdict.difference.interval
    cells = (
        _subtask(ruled),
        _ruling(verdict),
        f"{verdict.candidate} {100 * verdict.candidate_rate:.1f} %",
        f"{verdict.reference} {100 * verdict.reference_rate:.1f} %",
        f"{100 * verdict.difference.value:+.1f} ({100 * interval.low:+.1f} to {100 * interval.high:+.1f})",
        str(verdict.difference.n),
        times_less(*(figure.costs.per_success.seconds for figure in (ruled.reference, ruled.candidate))),
        times_less(*(figure.costs.per_success.joules for figure in (ruled.reference, ruled.candidate))),
    )
    return f"| {' | '.join(cells)} |"


def _subtask(ruled: Ruled) -> str:
    what = ruled.record.benchmark.description.replace("|", r"\|").rstrip(".")
    return f"{what} ({family_name(ruled)})"


def _ruling(verdict: Verdict) -> str:
    """With the reason where the interval does not show it: cases that a trivial method solves as well."""
    no_evidence = verdict.ruling == "inconclusive" and verdict.floor_ties
    return f"**{verdict.ruling}**" + (f"; {verdict.floor} does as well" if no_evidence else "")
