"""The one-line answer over all families: how much of the larger model's work can go to small ones?

For one case of every family, all families counting alike: what the reference arm spends on it in calls and
tokens of generators, in seconds, joules and money. The replaceable fraction is the share of that which falls
on confirmed families; the saved fraction is what is left of it after the small arm's own spending. The mix
is the benchmark's, not yours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from orchestrator.bench.record import ArmFamily, BenchRecord
from orchestrator.bench.verdict import Ruling, Verdict
from orchestrator.errors import UserError
from orchestrator.types import Record


class Ruled(NamedTuple):
    """A family's ruling, and the two arms that it is about."""

    record: BenchRecord
    verdict: Verdict
    candidate: ArmFamily
    reference: ArmFamily


class Share(Record):
    """Of what the reference spends. None: not known for every family."""

    quantity: str
    replaceable: float | None
    saved: float | None


_ORDER: tuple[Ruling, ...] = ("refuted", "inconclusive", "confirmed")


def ruled_families(records: Sequence[BenchRecord]) -> list[Ruled]:
    """Every family of several benchmarks; what speaks against small models comes first.

    Raises UserError for two records of one benchmark.
    """
    names = [record.benchmark.name for record in records]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(
            f"There are two records of {twice[0]!r}.",
            hint="Name one, or compare them: lilliput bench compare A B",
        )
    found = []
    for record, verdict in ((one, verdict) for one in records for verdict in one.verdicts):
        candidate = record.figure(verdict.family, verdict.candidate)
        reference = record.figure(verdict.family, verdict.reference)
        if candidate and reference:
            found.append(Ruled(record, verdict, candidate, reference))
    return sorted(found, key=_against)


def _against(ruled: Ruled) -> tuple[int, float]:
    return _ORDER.index(ruled.verdict.ruling), ruled.verdict.difference.interval.low


def headline(families: Sequence[Ruled]) -> list[Share]:
    return [_share(name, amount, families) for name, amount in _AMOUNTS.items()]


def _share(name: str, amount: Callable[[ArmFamily], float | None], families: Sequence[Ruled]) -> Share:
    everything = confirmed = saved = 0.0
    for family in families:
        large, small = amount(family.reference), amount(family.candidate)
        if large is None or small is None:
            return Share(quantity=name, replaceable=None, saved=None)
        everything += large
        if family.verdict.ruling == "confirmed":
            confirmed, saved = confirmed + large, saved + large - small
    if not everything:
        return Share(quantity=name, replaceable=None, saved=None)
    return Share(quantity=name, replaceable=confirmed / everything, saved=saved / everything)


def _calls(figure: ArmFamily) -> float | None:
    return figure.summary.generator_calls / figure.summary.n


def _tokens(figure: ArmFamily) -> float | None:
    return sum(figure.summary.generator_tokens) / figure.summary.n


def _seconds(figure: ArmFamily) -> float | None:
    return figure.costs.seconds / figure.summary.n


def _usd(figure: ArmFamily) -> float | None:
    usd = figure.costs.total_usd(0.5)
    return None if usd is None else usd / figure.summary.n


_AMOUNTS: dict[str, Callable[[ArmFamily], float | None]] = {
    "calls": _calls,
    "tokens": _tokens,
    "seconds": _seconds,
    "joules": lambda figure: figure.joules_a_case,
    "cost": _usd,
}


def times_less(larger: float | None, small: float | None) -> str:
    """What the small way takes of what the larger one does; a dash where one is not known."""
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
