"""What a run may still spend. Checked before and after each call, so that the overrun is one call at most."""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestrator.errors import BudgetExceeded
from orchestrator.types import Budget, Usage


class Spending:
    """Adds up what a run has used and refuses to go past its budget."""

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.monotonic) -> None:
        self.budget = budget
        self.total = Usage()
        self.steps = 0
        self._clock = clock
        self._started_s = clock()

    def add(self, usage: Usage) -> None:
        self.total += usage
        self.steps += 1

    def check(self) -> None:
        """Raises BudgetExceeded, naming the first limit that was reached and how far."""
        limits = (
            ("seconds", self.elapsed_s, self.budget.time_s),
            ("tokens", self.tokens, self.budget.tokens),
            ("steps", self.steps, self.budget.steps),
            ("US dollars", self.total.cost_usd or 0.0, self.budget.cost_usd),
        )
        for unit, used, limit in limits:
            if limit is not None and used >= limit:
                raise BudgetExceeded(f"The budget of {limit:g} {unit} is used up ({used:g}).")

    @property
    def elapsed_s(self) -> float:
        return self._clock() - self._started_s

    @property
    def tokens(self) -> int:
        return (self.total.prompt_tokens or 0) + (self.total.completion_tokens or 0)

    @property
    def tokens_left(self) -> int | None:
        """At least 1, since a call with no tokens is no call; the check before it is what stops it."""
        return None if self.budget.tokens is None else max(1, self.budget.tokens - self.tokens)

    @property
    def seconds_left(self) -> float | None:
        return None if self.budget.time_s is None else max(0.0, self.budget.time_s - self.elapsed_s)

    @property
    def usd_left(self) -> float | None:
        return None if self.budget.cost_usd is None else self.budget.cost_usd - (self.total.cost_usd or 0.0)
