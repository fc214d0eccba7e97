"""The verdicts as a Markdown table, for a README: generated from records, never typed."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.bench.headline import Ruled, ruled_families
from orchestrator.bench.plots import family_name
from orchestrator.bench.record import BenchRecord

BEGIN, END = "<!-- verdicts: make readme -->", "<!-- end of verdicts -->"
_HEAD = (
    "| subtask | verdict | small | larger | difference | n | time of a success | energy of a success |",
    "|---|---|---|---|---|---|---|---|",
)


def verdict_table(records: Sequence[BenchRecord]) -> str:
    """One row a family. Ratios are larger over small, of the arms that were compared, failures included."""
    return "\n".join([*_HEAD, *(_row(ruled) for ruled in ruled_families(records))]) + "\n"


def with_table(text: str, records: Sequence[BenchRecord]) -> str:
    """`text` with the table between its two markers. Raises ValueError where they are not there."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the text has no {BEGIN} with {END} after it")
    return f"{before}{BEGIN}\n{verdict_table(records)}{END}{after}"


def _row(ruled: Ruled) -> str:
    verdict = ruled.verdict
    interval = verdict.difference.interval
    cells = (
        family_name(ruled),
        f"**{verdict.ruling}**",
        f"{verdict.candidate} {100 * verdict.candidate_rate:.1f} %",
        f"{verdict.reference} {100 * verdict.reference_rate:.1f} %",
        f"{100 * verdict.difference.value:+.1f} ({100 * interval.low:+.1f} to {100 * interval.high:+.1f})",
        str(verdict.difference.n),
        _times(*(figure.costs.per_success.seconds for figure in (ruled.reference, ruled.candidate))),
        _times(*(figure.costs.per_success.joules for figure in (ruled.reference, ruled.candidate))),
    )
    return f"| {' | '.join(cells)} |"


def _times(larger: float | None, small: float | None) -> str:
    if larger is None or not small:
        return "–"
    ratio = larger / small
    return (
        f"{ratio:,.0f} x less"
        if ratio >= 2
        else f"{ratio:.1f} x less"
        if ratio >= 1
        else f"{1 / ratio:.1f} x more"
    )
