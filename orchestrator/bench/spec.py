"""What a benchmark declares: a data set, how many cases of which categories, and the arms to compare.

Cases are drawn by hashing `seed/id` and taking the smallest. That is random with respect to what a case
contains, the same on every machine and Python, and nested: asking for more keeps the ones already drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from orchestrator import planning
from orchestrator.bench.cases import Case, Code, Files, load_code
from orchestrator.bench.data import file_called, files_called
from orchestrator.bench.table import Table, TableCode
from orchestrator.errors import ContentError, ModelUnavailable, UnknownName
from orchestrator.routing import check_policy, named_models
from orchestrator.store import ModelStore
from orchestrator.types import Budget, Json, Name, Record, Task
from orchestrator.workspace import Workspace
from orchestrator.yamlfile import YamlFile, read_yaml

ArmKind = Literal["floor", "reference", "small", "encoder", "specialist", "crew"]


class Family(Record):
    """Cases of one category of the data set, and what is asked of them; n = None takes all.

    `margin`: how much worse the first arm may be and still pass, as a share; declared before the run.
    `expectation`: who its authors think will win; it changes nothing. `skip`: so many that would have been
    drawn first are left out, which makes a fresh sample beside a benchmark that has drawn those.
    """

    category: Name
    n: int | None = Field(default=None, gt=0)
    skip: int = Field(default=0, ge=0)
    margin: float = Field(default=0.05, gt=0.0, lt=1.0)
    expectation: Literal["small", "large", "open"] = "open"


class Arm(Record):
    """One way to answer every case: a workflow or a single agent, under one routing policy.

    `with`: the task's inputs, where they are not just those of the case; `${case.tools.0}` points into them.
    """

    name: Name
    kind: ArmKind = "crew"
    description: str = ""
    workflow: str | None = None
    agent: str | None = None
    route: str
    inputs: Json | None = Field(default=None, alias="with")
    budget: Budget = Budget()

    model_config = ConfigDict(populate_by_name=True)

    @model_validator(mode="after")
    def _one_of_workflow_and_agent(self) -> Self:
        if (self.workflow is None) == (self.agent is None):
            raise ValueError(f"arm {self.name!r} needs exactly one of `workflow` and `agent`")
        return self

    def task(self, case: Case) -> Task:
        given = case.inputs if self.inputs is None else planning.resolve(self.inputs, {"case": case.inputs})
        return Task(
            input=given,
            workflow=self.workflow,
            agent=self.agent,
            route=self.route,
            budget=self.budget,
            cache_salt=self.name,
        )


class Benchmark(Record):
    """The same cases through several arms. The first arm is compared with the strongest of kind
    `reference`.

    Cases come from a data-set card (`dataset`) or from one's own CSV file (`table`).
    `models`: only these may answer, so that the outcome does not depend on what else is installed; empty
    means all; `${settings.reference_model}` stands for that setting, here and in routes. `score` names the
    benchmark whose `score.py` reads and scores the cases; absent: its own. `content` names
    benchmarks whose agents and workflows are laid over the workspace. `notes` stand under every table.
    """

    name: Name
    description: str
    notes: str = ""
    dataset: Name | None = None
    table: Table | None = None
    score: Name | None = None
    content: tuple[Name, ...] = ()
    seed: int
    repeats: int = Field(default=1, ge=1)
    models: tuple[str, ...] = ()
    families: tuple[Family, ...] = Field(min_length=1)
    arms: tuple[Arm, ...] = Field(min_length=2)

    @field_validator("arms", "families")
    @classmethod
    def _named_once(cls, found: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [getattr(one, "name", None) or one.category for one in found]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{twice[0]!r} comes twice")
        return found

    @property
    def dataset_name(self) -> str:
        """Of the data-set card; a table goes by the benchmark's own name."""
        return self.dataset or self.name

    @model_validator(mode="after")
    def _one_of_dataset_and_table(self) -> Self:
        if (self.dataset is None) == (self.table is None):
            raise ValueError(f"benchmark {self.name!r} needs exactly one of `dataset` and `table`")
        return self


def read_benchmark(roots: Sequence[Path], name: str) -> Benchmark:
    """The benchmark of that name; a later root wins. Raises UnknownName or ContentError."""
    yaml = _yaml_of(roots, name)
    spec = yaml.validate(Benchmark)
    if spec.name != name:
        raise yaml.error(f"`name: {spec.name}` must equal the name of its folder, {name!r}", ("name",))
    return spec


def _yaml_of(roots: Sequence[Path], name: str) -> YamlFile:
    return read_yaml(file_called(roots, "benchmark.yaml", "benchmark", name))


def folder_of(roots: Sequence[Path], name: str) -> Path:
    """Where a benchmark lies. Raises UnknownName."""
    return file_called(roots, "benchmark.yaml", "benchmark", name).parent


def all_benchmarks(roots: Sequence[Path]) -> list[Benchmark]:
    """Every benchmark by name; a later root wins. Raises ContentError."""
    return [read_benchmark(roots, name) for name in sorted(files_called(roots, "benchmark.yaml"))]


def draw(ids: Iterable[str], n: int | None, seed: int) -> list[str]:
    """`n` of the ids (all for None), in the order of their hash with the seed."""
    return sorted(ids, key=lambda case: hashlib.sha256(f"{seed}/{case}".encode()).digest())[:n]


class Drawn(NamedTuple):
    """By family the cases that count, in the order in which they are drawn, and `spare` ones to warm up with:
    two that do not count or, where all do, two of those.
    """

    families: dict[str, list[Case]]
    spare: list[Case]

    @property
    def cases(self) -> list[Case]:
        return self.first(None)

    def first(self, n: int | None) -> list[Case]:
        """At most n of each family."""
        return [case for cases in self.families.values() for case in cases[:n]]


def drawn_cases(benchmark: Benchmark, code: Code, files: Files) -> Drawn:
    """Raises ContentError for an id that two families share."""
    drawn: dict[str, list[Case]] = {}
    spare: list[Case] = []
    for family in benchmark.families:
        by_id = {case.id: case for case in code.read_cases(files, family.category)}
        chosen = draw(by_id, family.n and family.n + family.skip, benchmark.seed)[family.skip :]
        if shared := {case.id for cases in drawn.values() for case in cases} & {*chosen}:
            raise ContentError(f"case id {min(shared)!r} comes in two families", file=code.file)
        drawn[family.category] = [by_id[case] for case in chosen]
        spare = spare or [case for name, case in by_id.items() if name not in chosen][:2]
    return Drawn(drawn, spare or [case for cases in drawn.values() for case in cases][:2])


def insist_on_n(roots: Sequence[Path], benchmark: Benchmark, drawn: Drawn) -> None:
    """Raises ContentError for a family that declares more cases than there are."""
    for place, family in enumerate(benchmark.families):
        there = len(drawn.families[family.category])
        if there < (family.n or 1):
            asked = f"`n: {family.n}`" if family.n else "all cases"
            left = f" after the {family.skip:,} that `skip` leaves out" if family.skip else ""
            yaml = _yaml_of(roots, benchmark.name)
            raise yaml.error(
                f"{asked} of {family.category!r}, but there are {there:,}{left}",
                ("families", place, "n" if family.n else "category"),
                hint=f"Write `n: {there}`." if there else "Name another category, or skip fewer.",
            )


def insist_on_references(roots: Sequence[Path], benchmark: Benchmark, cases: Sequence[Case]) -> None:
    """Raises ContentError for an arm's `${case.…}` that no case has."""
    there = sorted({name for case in cases for name in case.inputs})
    for place, arm in enumerate(benchmark.arms if cases else ()):
        for root, path in planning.references(arm.inputs):
            if root != "case" or (path and path[0] not in there):
                raise _yaml_of(roots, benchmark.name).error(
                    f"arm {arm.name!r} refers to ${{{'.'.join((root, *path))}}}, which no case has",
                    ("arms", place, "with"),
                    hint=f"There are {', '.join(f'${{case.{name}}}' for name in there)}.",
                )


def insist_on_names(roots: Sequence[Path], benchmark: Benchmark, workspace: Workspace) -> None:
    """Raises ContentError for a model, or an arm's agent, workflow or route, that is not there."""
    allowed = {name: card for name, card in workspace.cards.items() if name in benchmark.models}
    cards = allowed or workspace.cards
    wanted: list[tuple[tuple[str | int, ...], str | None, Callable[[str], object]]] = [
        (("models", place), name, workspace.card) for place, name in enumerate(benchmark.models)
    ]
    for place, arm in enumerate(benchmark.arms):
        wanted += [
            (("arms", place, "workflow"), arm.workflow, workspace.workflow),
            (("arms", place, "agent"), arm.agent, workspace.agent),
            (
                ("arms", place, "route"),
                arm.route,
                lambda text: check_policy(text, cards),
            ),
        ]
    for path, name, find in wanted:
        try:
            if name:
                find(name)
        except UnknownName as error:
            raise _yaml_of(roots, benchmark.name).error(str(error), path) from None


def insist_on_reference(roots: Sequence[Path], benchmark: Benchmark) -> None:
    """Raises ContentError where no arm is what the first one is compared with."""
    if all(arm.kind != "reference" for arm in benchmark.arms):
        hint = "Write `kind: reference` beside the arm that the first one is compared with."
        raise _yaml_of(roots, benchmark.name).error("no arm is of kind `reference`.", ("arms",), hint=hint)


def code_of(roots: Sequence[Path], benchmark: Benchmark) -> Code:
    """The benchmark's `score.py`, or that of the one it names. Raises UnknownName or ContentError."""
    if benchmark.table:
        return TableCode(benchmark.table, folder_of(roots, benchmark.name) / "benchmark.yaml")
    wanted = benchmark.score or benchmark.name
    return load_code(file_called(roots, "score.py", "score.py of benchmark", wanted))


def pinned_models(benchmark: Benchmark) -> tuple[str, ...]:
    """The models that a benchmark says it needs: those of `models`, then those that its routes name."""
    routes = (name for arm in benchmark.arms for name in named_models(arm.route))
    return tuple(dict.fromkeys((*benchmark.models, *routes)))


def installed_keys(store: ModelStore, models: Sequence[str]) -> dict[str, str]:
    """The key of each model (see `ModelStore.key`). Raises ModelUnavailable that names every absent one."""
    keys = {name: key for name in models if (key := store.key(name))}
    if absent := [name for name in models if name not in keys]:
        hint = f"Type: lilliput models pull {' '.join(absent)}"
        raise ModelUnavailable(f"The benchmark needs {', '.join(absent)}, not installed yet.", hint=hint)
    return keys
