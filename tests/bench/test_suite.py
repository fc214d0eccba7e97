"""Which benchmarks are ruled on together, and at which level."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.bench.spec import all_benchmarks, read_benchmark
from orchestrator.bench.suite import families_tested, read_suite
from orchestrator.errors import ContentError, UnknownName
from orchestrator.workspace import builtin_root
from tests.bench.words import SPEC
from tests.core.world import write

ROOTS = (builtin_root(),)


def test_every_family_of_the_suite_counts_whichever_is_asked_for() -> None:
    names = read_suite(ROOTS)
    total = sum(len(read_benchmark(ROOTS, name).families) for name in names)
    assert total == 21
    assert {families_tested(ROOTS, read_benchmark(ROOTS, name)) for name in names} == {total}


def test_what_is_not_in_the_suite_stands_alone() -> None:
    assert families_tested(ROOTS, read_benchmark(ROOTS, "bfcl-quick")) == 3


def test_a_benchmark_is_in_one_suite(tmp_path: Path) -> None:
    write(tmp_path, "benchmarks/words/benchmark.yaml", json.dumps(SPEC))
    write(tmp_path, "benchmarks/mine.yaml", "benchmarks: [words]")
    roots = (*ROOTS, tmp_path)
    assert read_suite(roots, "mine") == ("words",)
    assert families_tested(roots, read_benchmark(roots, "words")) == 1
    write(tmp_path, "benchmarks/other.yaml", "benchmarks: [words]")
    with pytest.raises(ContentError, match="two suites: mine, other"):
        families_tested(roots, read_benchmark(roots, "words"))


@pytest.mark.parametrize("name", ["suite", "specialists"])
def test_all_that_a_suite_lists_is_there(name: str) -> None:
    assert {*read_suite(ROOTS, name)} <= {spec.name for spec in all_benchmarks(ROOTS)}


def test_one_s_own_suite_replaces_the_one_that_came_with_it(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="suite"):
        read_suite([tmp_path])
    write(tmp_path, "benchmarks/suite.yaml", "benchmarks: [words]")
    write(tmp_path, "benchmarks/words/benchmark.yaml", json.dumps(SPEC))
    roots = (*ROOTS, tmp_path)
    assert read_suite(roots) == ("words",)
    assert families_tested(roots, read_benchmark(roots, "words")) == 1
    assert families_tested(roots, read_benchmark(roots, "clinc150")) == 1


def test_an_empty_suite_is_refused_with_its_file(tmp_path: Path) -> None:
    write(tmp_path, "benchmarks/suite.yaml", "benchmarks: []")
    with pytest.raises(ContentError, match=r"suite\.yaml"):
        read_suite([tmp_path])
