"""Which benchmarks belong together: run one after the other, and ruled on at a level that they share.

A suite is a file `benchmarks/NAME.yaml`, in the strongest workspace that has one: `suite` is the whole crew
against the larger model, `specialists` what was trained. A benchmark that no suite lists stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from orchestrator.bench.spec import Benchmark, read_benchmark
from orchestrator.errors import ContentError, UnknownName
from orchestrator.types import Name, Record
from orchestrator.yamlfile import read_yaml


class Suite(Record):
    benchmarks: tuple[Name, ...] = Field(min_length=1)


def read_suite(roots: Sequence[Path], name: str = "suite") -> tuple[str, ...]:
    """Its benchmarks, in the order in which they run. Raises UnknownName or ContentError."""
    suites = _suites(roots)
    if name not in suites:
        raise UnknownName("suite", name, suites)
    return suites[name]


def families_tested(roots: Sequence[Path], benchmark: Benchmark) -> int:
    """Of how many families each of this benchmark's is one. Raises ContentError where two suites list it."""
    listing = {suite: names for suite, names in _suites(roots).items() if benchmark.name in names}
    if not listing:
        return len(benchmark.families)
    if len(listing) > 1:
        raise ContentError(
            f"{benchmark.name} is listed by two suites: {', '.join(sorted(listing))}",
            file=_files(roots)[min(listing)],
            hint="Each family is ruled on at one level: leave it in one of them.",
        )
    (names,) = listing.values()
    return sum(len(read_benchmark(roots, name).families) for name in names)


def _suites(roots: Sequence[Path]) -> Mapping[str, tuple[str, ...]]:
    return {name: read_yaml(file).validate(Suite).benchmarks for name, file in _files(roots).items()}


def _files(roots: Sequence[Path]) -> Mapping[str, Path]:
    """A stronger workspace's suite replaces the one of the same name."""
    return {file.stem: file for root in roots for file in sorted(root.glob("benchmarks/*.yaml"))}
