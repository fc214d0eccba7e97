"""Plans as graphs: links, what cannot be run, and F1."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.kit.plangraph import Graph, chain, f1, graph_of, problem_of


def test_a_chain_links_neighbours() -> None:
    steps = chain(["a", "b", "c"])
    assert steps[0] == {"tool": "a", "after": []}
    assert graph_of(steps) == Graph(frozenset("abc"), frozenset({("a", "b"), ("b", "c")}))


@pytest.mark.parametrize("steps", [None, "a", [1], [{"after": []}], [{"tool": "a", "after": [1]}], [], {}])
def test_what_is_no_plan_is_empty(steps: Any) -> None:
    assert graph_of(steps) == Graph(frozenset(), frozenset())
    assert problem_of(graph_of(steps), "a") == "the plan has no step"


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (chain(["a", "b"]), None),
        ([{"tool": "a"}], None),
        (chain(["a", "z"]), "no tool 'z'"),
        (chain(["a", "b", "a"]), "two steps"),
        ([{"tool": "a", "after": ["b"]}], "'b' is waited for"),
        ([{"tool": "a", "after": ["b"]}, {"tool": "b", "after": ["a"]}], "each other"),
        ([{"tool": "a", "after": ["a"]}], "each other"),
    ],
)
def test_a_plan_that_cannot_be_run(steps: list[dict[str, Any]], said: str | None) -> None:
    found = problem_of(graph_of(steps), ["a", "b"])
    assert found is None if said is None else said in (found or "")


def test_f1_by_hand() -> None:
    assert f1({"a", "b"}, {"b", "c", "d"}) == pytest.approx(2 / 5)
    assert f1(set(), {"a"}) == 0.0
    assert f1(set(), set()) == 1.0
