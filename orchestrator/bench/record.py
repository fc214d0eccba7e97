"""What a run amounts to: figures, costs, books, rulings, and everything that they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from orchestrator.bench.accounts import Books, books_of
from orchestrator.bench.arms import Once, Outcome
from orchestrator.bench.cases import Case, Code
from orchestrator.bench.costs import Costs, Remote, costs_of
from orchestrator.bench.origin import Origin
from orchestrator.bench.routers import RouterTable, router_table
from orchestrator.bench.spec import Benchmark
from orchestrator.bench.summary import ArmSummary, sum_known, summarise
from orchestrator.bench.verdict import Design, Verdict, verdicts
from orchestrator.types import ModelCard, Record
from orchestrator.workspace import Machine


class ArmFamily(Record):
    """One arm on one family: what it did and cost, and figures that no single case has."""

    family: str
    summary: ArmSummary
    costs: Costs
    metrics: dict[str, float] = {}

    @property
    def joules_a_case(self) -> float | None:
        return None if self.costs.energy_j is None else self.costs.energy_j / self.summary.n


class BenchRecord(Origin):
    """All that a run found. Holds case ids and what was answered; no text of the data set but what an answer
    quotes, as extracted fields do.

    `remark`: what a reader of the figures must know and no meter tells, such as other work on the machine.
    `benchmark` is as declared; `scored` and `unscored` count the outcomes of the cases that were asked for.
    `prompts`: the hash of everything that an arm says to its models. `model_memory_bytes`: of each model that
    was loaded. `once`: by arm, what is in no case. `commits`: of the code that made the outcomes.
    """

    schema_version: Literal[3] = 3
    kind: Literal["benchmark"] = "benchmark"
    remark: str | None = None
    fingerprint: dict[str, str]
    prompts: dict[str, str]
    declared: Machine
    model_memory_bytes: dict[str, int] = {}
    once: dict[str, Once] = {}
    commits: tuple[str, ...] = ()
    design: Design
    scored: int
    unscored: int
    books: Books | None = None
    figures: tuple[ArmFamily, ...]
    routers: tuple[RouterTable, ...] = ()
    verdicts: tuple[Verdict, ...]
    outcomes: tuple[Outcome, ...]

    def figure(self, family: str, arm: str) -> ArmFamily | None:
        found = (f for f in self.figures if f.family == family and f.summary.arm == arm)
        return next(found, None)


class Findings:
    """Everything in a record that follows from the outcomes of the drawn cases."""

    def __init__(
        self,
        benchmark: Benchmark,
        cases: Mapping[str, Case],
        code: Code,
        machine: Machine,
        cards: Mapping[str, ModelCard],
        outcomes: Sequence[Outcome],
        design: Design,
    ) -> None:
        wanted = {
            (case, arm.name, repeat)
            for case in cases
            for arm in benchmark.arms
            for repeat in range(benchmark.repeats)
        }
        self.outcomes = [found for found in outcomes if found.key in wanted]
        self._unscored = len(wanted) - len(self.outcomes)
        self._benchmark = benchmark
        self._cases = cases
        self._code = code
        self._machine = machine
        self._cards = cards
        self._design = design

    def fields(self) -> dict[str, Any]:
        """As a BenchRecord names them."""
        books, ruled = books_of(self.outcomes), verdicts(self._benchmark, self.outcomes, self._design)
        return {
            "declared": self._machine,
            "design": self._design,
            "commits": tuple(sorted({outcome.commit or "unknown" for outcome in self.outcomes})),
            "scored": len(self.outcomes),
            "unscored": self._unscored,
            "books": books,
            "figures": tuple(self._figures(trusted=books is None or books.closed)),
            "routers": tuple(filter(None, map(self._router, ruled))),
            "verdicts": tuple(ruled),
            "outcomes": tuple(self.outcomes),
        }

    def _figures(self, *, trusted: bool) -> list[ArmFamily]:
        found = []
        for family in self._benchmark.families:
            for arm in self._benchmark.arms:
                own = [o for o in self.outcomes if o.category == family.category and o.arm == arm.name]
                if own:
                    found.append(self._figure(family.category, arm.name, own, trusted=trusted))
        return found

    def _figure(self, family: str, arm: str, own: Sequence[Outcome], *, trusted: bool) -> ArmFamily:
        summary = summarise(arm, own)
        if not trusted:
            summary = summary.model_copy(update={"energy_j": None, "energy_source": None})
        pairs = [(self._cases[o.case_id], o.output) for o in own]
        return ArmFamily(
            family=family,
            summary=summary,
            costs=self._costs(summary, own),
            metrics=self._code.metrics(pairs),
        )

    def _costs(self, summary: ArmSummary, own: Sequence[Outcome]) -> Costs:
        seconds = sum(outcome.latency_s for outcome in own)
        calls = [used for o in own for model, used in o.usage_by_model.items() if self._is_remote(model)]
        if not any(used.calls for used in calls):
            return costs_of(summary, seconds, self._machine)
        paid_usd = sum_known([used.cost_usd for used in calls])
        waited_s = sum(used.duration_s or 0.0 for used in calls)
        return costs_of(summary, seconds, self._machine, Remote(paid_usd, waited_s))

    def _is_remote(self, model: str) -> bool:
        return model in self._cards and self._cards[model].runtime == "remote"

    def _router(self, verdict: Verdict) -> RouterTable | None:
        return router_table(verdict.family, verdict.candidate, verdict.reference, self.outcomes)
