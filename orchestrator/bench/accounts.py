"""Closed books: is what the controller charged all that the process drew, arm by arm?

For each arm, from the same cases: what was charged to models, to code (tools and agents without a model) and
to the controller itself (plans, router, checks, records), and the idle draw meanwhile; against what was read
from the clock or the counters around each case as a whole. The residual is what nobody was charged for.
Energy that was charged to the wrong arm shows as well: as a residual in both.

Joules are for print only when the books close: within 5 % over all arms, and for each arm within 5 % of its
own total or 1 % of everybody's, whichever is more.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.bench.arms import Outcome
from orchestrator.types import Record, Source

TOLERANCE = 0.05
_SMALL = 0.01


class Account(Record):
    """One arm's joules. `metered_j` holds the idle draw too, so that charged and metered are comparable."""

    arm: str
    models_j: float
    code_j: float
    controller_j: float
    idle_j: float
    metered_j: float

    @property
    def charged_j(self) -> float:
        return self.models_j + self.code_j + self.controller_j + self.idle_j

    @property
    def residual_j(self) -> float:
        return self.metered_j - self.charged_j


class Books(Record):
    """All accounts. `residual` is the share of the metered total that nobody was charged for."""

    source: Source
    accounts: tuple[Account, ...]
    residual: float
    closed: bool
    reason: str


def books_of(outcomes: Sequence[Outcome]) -> Books | None:
    """None where any case was not metered as a whole, as when cases ran at the same time."""
    if not outcomes or any(outcome.metered_energy_j is None for outcome in outcomes):
        return None
    source = outcomes[0].usage.energy_source or "modelled"
    accounts = [
        _account(arm, [outcome for outcome in outcomes if outcome.arm == arm])
        for arm in dict.fromkeys(outcome.arm for outcome in outcomes)
    ]
    total_j = sum(account.metered_j for account in accounts)
    residual = sum(account.residual_j for account in accounts) / total_j if total_j else 0.0
    reason = _what_is_wrong(accounts, residual, total_j)
    return Books(
        source=source,
        accounts=tuple(accounts),
        residual=residual,
        closed=reason is None,
        reason=reason or f"charged and metered agree within {100 * abs(residual):.1f} %",
    )


def _account(arm: str, outcomes: Sequence[Outcome]) -> Account:
    def charged(name: str) -> float:
        return sum(o.usage_by_model[name].energy_j or 0.0 for o in outcomes if name in o.usage_by_model)

    idle_j = sum(outcome.idle_energy_j or 0.0 for outcome in outcomes)
    code_j, controller_j = charged("code"), charged("overhead")
    around_j = sum(outcome.around_energy_j or 0.0 for outcome in outcomes)
    everything_j = sum(outcome.usage.energy_j or 0.0 for outcome in outcomes)
    return Account(
        arm=arm,
        models_j=everything_j - code_j - controller_j,
        code_j=code_j,
        controller_j=controller_j + around_j,
        idle_j=idle_j,
        metered_j=sum(outcome.metered_energy_j or 0.0 for outcome in outcomes) + idle_j,
    )


def _what_is_wrong(accounts: Sequence[Account], residual: float, total_j: float) -> str | None:
    if abs(residual) > TOLERANCE:
        return f"{100 * residual:+.1f} % of the metered energy was charged to nobody or twice"
    for account in accounts:
        allowed_j = max(TOLERANCE * account.metered_j, _SMALL * total_j)
        if abs(account.residual_j) > allowed_j:
            return (
                f"arm {account.arm!r} drew {account.metered_j:,.0f} J by the meter and was charged "
                f"{account.charged_j:,.0f} J"
            )
    return None
