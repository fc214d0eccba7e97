"""Which benchmarks belong together: run one after the other, and ruled on at a level that they share.

`benchmarks/suite.yaml` in the strongest workspace that has one. A benchmark that is not listed stands alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from orchestrator.bench.spec import Benchmark, read_benchmark
from orchestrator.types import Name, Record
from orchestrator.yamlfile import read_yaml


class Suite(Record):
    benchmarks: tuple[Name, ...] = Field(min_length=1)


def read_suite(roots: Sequence[Path]) -> tuple[str, ...]:
    """Names, in the order in which they run; none where there is no such file. Raises ContentError."""
    files = [file for root in reversed(roots) if (file := root / "benchmarks" / "suite.yaml").is_file()]
    return read_yaml(files[0]).validate(Suite).benchmarks if files else ()


def families_tested(roots: Sequence[Path], benchmark: Benchmark) -> int:
    """Of how many families each of this benchmark's is one."""
    names = read_suite(roots)
    if benchmark.name not in names:
        return len(benchmark.families)
    return sum(len(read_benchmark(roots, name).families) for name in names)
