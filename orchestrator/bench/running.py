"""Run a benchmark: draw the cases, send them through every arm, keep what came of it, rule on it.

Nothing here knows a subtask family: cases and scores come from the benchmark's own `score.py`, answers from
the product's own controller. A run goes on where a killed one stopped; see `ledger.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from orchestrator.bench.arms import Estimate, OnOutcome, Outcome, estimate, run_interleaved, warm_up
from orchestrator.bench.cases import Code
from orchestrator.bench.data import (
    Dataset,
    DatasetCard,
    FetchFiles,
    cached_fetch,
    open_dataset,
    read_dataset_card,
)
from orchestrator.bench.environment import commit_of
from orchestrator.bench.gauge import Gauge
from orchestrator.bench.ledger import Decisive, Ledger, fingerprint, key_of, prompt_hashes
from orchestrator.bench.load import Load, LoadSummary, run_load, summarise_load
from orchestrator.bench.origin import origin_of
from orchestrator.bench.record import BenchRecord, Findings
from orchestrator.bench.rows import rows_of
from orchestrator.bench.spec import (
    Arm,
    Benchmark,
    code_of,
    drawn_cases,
    folder_of,
    insist_on_n,
    insist_on_names,
    insist_on_reference,
    insist_on_references,
    installed_keys,
    pinned_models,
    read_benchmark,
)
from orchestrator.bench.suite import families_tested
from orchestrator.bench.table import table_card
from orchestrator.bench.verdict import Design
from orchestrator.controller import open_controller
from orchestrator.errors import ContentError, InvalidInput, UnknownName
from orchestrator.records import utc_now
from orchestrator.settings import Settings
from orchestrator.store import ModelStore
from orchestrator.store.files import hash_of, publish, sha256_of
from orchestrator.store.locks import locked
from orchestrator.store.staging import staged
from orchestrator.types import Json
from orchestrator.workspace import Workspace

_SETTING = re.compile(r"\$\{settings\.(reference_model|controller_model)\}")


class Bench:
    """One benchmark of a workspace, opened: its data are here, and its arms are resolved.

    `n`: at most so many cases of each family. `category`: cases of that one instead, such as a development
    split. `whole`: all cases of its families, however many are declared; no ruling may rest on these.
    """

    def __init__(
        self,
        workspace: Workspace,
        settings: Settings,
        name: str,
        n: int | None = None,
        *,
        category: str | None = None,
        whole: bool = False,
        fetch: FetchFiles | None = None,
    ) -> None:
        self.settings = settings
        declared = _resolved(read_benchmark(workspace.roots, name), settings)
        self.benchmark = _of_category(_whole(declared) if whole else declared, category)
        self.code: Code = code_of(workspace.roots, self.benchmark)
        self._dataset = self._open_data(workspace, fetch or cached_fetch(settings.cache_dir))
        try:
            drawn = drawn_cases(self.benchmark, self.code, self._dataset.files)
        except ContentError as error:
            if category is None or not isinstance(error.__cause__, KeyError):
                raise
            raise InvalidInput(
                f"Benchmark {name!r} knows no cases of {category!r}.",
                hint="Its score.py says which there are.",
            ) from error
        if category is None:
            insist_on_n(workspace.roots, self.benchmark, drawn)
        insist_on_references(workspace.roots, self.benchmark, drawn.cases)
        self.cases, self._spare = drawn.first(n), drawn.spare
        self.design = Design(
            cases={family: len(cases) for family, cases in drawn.families.items()},
            families_tested=families_tested(workspace.roots, self.benchmark),
        )
        self.workspace = self._laid_over(workspace)
        insist_on_reference(workspace.roots, self.benchmark)

    @property
    def card(self) -> DatasetCard:
        return self._dataset.card

    def _open_data(self, workspace: Workspace, fetch: FetchFiles) -> Dataset:
        benchmark, roots = self.benchmark, workspace.roots
        if benchmark.table:
            files = benchmark.table.files(folder_of(roots, benchmark.name))
            return Dataset(card=table_card(benchmark.name, files), files=files)
        return open_dataset(read_dataset_card(roots, benchmark.dataset_name), self.settings, fetch)

    def texts(self) -> dict[str, str]:
        """What each case asks, by its id: its `text`, or else the longest of its inputs that is text."""
        return {case.id: _text_of(case.inputs) for case in self.cases}

    def rows(self, dev: str) -> list[Json]:
        """What there is to learn from, to choose by and to judge by; see `rows.py`."""
        test = [family.category for family in self.benchmark.families]
        return rows_of(self.code, self._dataset.files, dev, test)

    def store(self) -> ModelStore:
        return ModelStore(self.settings.cache_dir, self.workspace.cards, self.workspace.card_folders)

    def models(self) -> dict[str, str]:
        """The key of each model that may answer: those of the benchmark's `models`, else all that are here.

        Raises ModelUnavailable that names every one that is named, there or by a route, and not installed.
        """
        store = self.store()
        named = installed_keys(store, pinned_models(self.benchmark))
        return named if self.benchmark.models else store.keys()

    async def run(
        self,
        on_case: OnOutcome,
        only: Sequence[str] = (),
        on_estimate: Callable[[Estimate], None] = lambda found: None,
        on_wait: Callable[[], None] | None = None,
    ) -> Ledger:
        """Every case that is not done yet, through every arm (or those named). Raises ModelUnavailable.

        `on_estimate` hears how long it will take, once the models are loaded; `on_wait` that another process
        runs the same.
        """
        arms, repeats = _chosen(self.benchmark.arms, only), range(self.benchmark.repeats)
        wanted = {(case.id, arm.name, repeat) for case in self.cases for arm in arms for repeat in repeats}
        machine, commit = self.workspace.machine(self.settings.machine), commit_of(self.workspace.roots[0])
        ledger = self.ledger(self.models())

        def keep(done: int, total: int, outcome: Outcome) -> None:
            ledger.add(outcome.model_copy(update={"commit": commit}))
            on_case(done, total, outcome)

        with ledger.alone(on_wait):
            async with open_controller(self.workspace, self._own_settings()) as controller:
                done = ledger.done & wanted
                gauge = Gauge(meter=controller.meter, machine=machine)
                if wanted - done:
                    warm = await warm_up(controller, arms, self._spare, gauge)
                    ledger.note_once(warm.once)
                    on_estimate(estimate(arms, wanted, ledger.outcomes, warm.case_s))
                await run_interleaved(
                    controller,
                    arms,
                    self.cases,
                    self.code,
                    self._dataset.files,
                    keep,
                    repeats=len(repeats),
                    done=done,
                    gauge=gauge,
                )
                ledger.note_memory({row.name: row.bytes for row in controller.pool.resident()})
        return ledger

    async def load(self, arm: str, load: Load) -> LoadSummary:
        """The drawn cases through one arm as `load` brings them; models are loaded first."""
        (chosen,) = _chosen(self.benchmark.arms, [arm])
        async with open_controller(self.workspace, self._own_settings()) as controller:
            self.models()
            await warm_up(controller, [chosen], self._spare[:1])
            served = await run_load(controller, chosen, self.cases, load)
        return summarise_load(arm, load, served)

    def ledger(self, models: Mapping[str, str]) -> Ledger:
        parts = self.fingerprint(models)
        return Ledger(self.settings.state_dir / "bench" / f"{self.benchmark.name}-{key_of(parts)}")

    def fingerprint(self, models: Mapping[str, str]) -> dict[str, str]:
        used = Decisive(self.settings, self.card.data_hash, models, self.code.made_by)
        return fingerprint(self.workspace, self.benchmark, used)

    def record(
        self,
        models: Mapping[str, str],
        ledger: Ledger,
        remark: str | None = None,
    ) -> BenchRecord:
        """What the outcomes of the drawn cases amount to."""
        machine = self.workspace.machine(self.settings.machine)
        cases = {case.id: case for case in self.cases}
        cards = self.workspace.cards
        found = Findings(self.benchmark, cases, self.code, machine, cards, ledger.outcomes, self.design)
        origin = origin_of(self.benchmark, self.card, dict(models), self.workspace, self.settings, utc_now())
        return BenchRecord(
            **dict(origin),
            **found.fields(),
            remark=remark,
            fingerprint=self.fingerprint(models),
            prompts=prompt_hashes(self.workspace, self.benchmark),
            model_memory_bytes=ledger.memory_bytes,
            once=ledger.once,
        )

    def _laid_over(self, workspace: Workspace) -> Workspace:
        """The workspace under the benchmark's own agents, workflows and materials, with its models only."""
        benchmark = self.benchmark
        names = [*benchmark.content, benchmark.name]
        for name in names:
            if not any((root / "benchmarks" / name).is_dir() for root in workspace.roots):
                raise InvalidInput(
                    f"benchmark {benchmark.name!r}: `content` names {name!r}, which is not there."
                )
        folders = [root / "benchmarks" / name for name in names for root in workspace.roots]
        own = [folder for folder in folders if (folder / "agents").is_dir() or (folder / "configs").is_dir()]
        laid = Workspace((*workspace.roots, *own, self._materials()))
        laid.insist()
        insist_on_names(workspace.roots, benchmark, laid)
        return laid.limited_to(benchmark.models or tuple(laid.cards))

    def _materials(self) -> Path:
        """Written once for these data and this code: another process may be reading them."""
        columns = self.benchmark.table.model_dump_json() if self.benchmark.table else ""
        made_by = hash_of([sha256_of(self.code.made_by), columns])
        name = f"{self.benchmark.name}-{self.card.data_hash[:16]}-{made_by[:16]}"
        place = self.settings.cache_dir / "bench" / name
        with locked(place.with_suffix(".lock")), staged(self.settings.cache_dir) as stage:
            if not place.exists():
                made = stage.make("materials")
                self.code.materials(self._dataset.files, made)
                publish(made, place)
        return place

    def _own_settings(self) -> Settings:
        """Runs of a benchmark are recorded apart from the user's own."""
        folder = self.settings.state_dir / "bench" / "runs" / self.benchmark.name
        return self.settings.model_copy(update={"state_dir": folder})


def _resolved(benchmark: Benchmark, settings: Settings) -> Benchmark:
    """`${settings.reference_model}` in routes and models as the setting says."""

    def fill(text: str) -> str:
        return _SETTING.sub(lambda match: str(getattr(settings, match[1])), text)

    arms = tuple(arm.model_copy(update={"route": fill(arm.route)}) for arm in benchmark.arms)
    models = tuple(dict.fromkeys(map(fill, benchmark.models)))
    return benchmark.model_copy(update={"arms": arms, "models": models})


def _of_category(benchmark: Benchmark, category: str | None) -> Benchmark:
    if category is None:
        return benchmark
    families = (benchmark.families[0].model_copy(update={"category": category}),)
    return benchmark.model_copy(update={"families": families})


def _whole(benchmark: Benchmark) -> Benchmark:
    every = tuple(family.model_copy(update={"n": None, "skip": 0}) for family in benchmark.families)
    return benchmark.model_copy(update={"families": every})


def _chosen(arms: Sequence[Arm], only: Sequence[str]) -> list[Arm]:
    for name in only:
        if name not in {arm.name for arm in arms}:
            raise UnknownName("arm", name, [arm.name for arm in arms])
    return [arm for arm in arms if not only or arm.name in only]


def _text_of(inputs: Json) -> str:
    words = [value for value in inputs.values() if isinstance(value, str)]
    return str(inputs.get("text") or max(words, key=len, default=""))
