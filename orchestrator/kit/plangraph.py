"""Compare a plan of steps with the right one: which tools, and which of them waits for which.

A plan is a list of `{"tool": name, "after": [names]}`; its links are the pairs (earlier, later). Nodes and
links are compared as sets, case by case: the definition of TaskBench (Shen et al., arXiv 2311.18760) as used
by GNN4TaskPlan (Wu et al., NeurIPS 2024). Whatever is no such list is an empty plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple


class Graph(NamedTuple):
    nodes: frozenset[str]
    links: frozenset[tuple[str, str]]
    twice: bool = False


def graph_of(steps: Any) -> Graph:
    """The nodes and links of a plan; `twice`: a tool stands in two steps, so that links are not clear."""
    if not isinstance(steps, list) or not all(_is_step(step) for step in steps):
        return Graph(frozenset(), frozenset())
    names = [step["tool"] for step in steps]
    links = {(before, step["tool"]) for step in steps for before in step.get("after") or ()}
    return Graph(frozenset(names), frozenset(links), len(set(names)) < len(names))


def chain(names: Sequence[str]) -> list[dict[str, Any]]:
    """Each step waits for the one before."""
    return [
        {"tool": name, "after": list(names[max(place - 1, 0) : place])} for place, name in enumerate(names)
    ]


def problem_of(graph: Graph, known: Collection[str]) -> str | None:
    """Why such a plan cannot be run, or None: it is empty, names what is not there, or waits for itself."""
    if not graph.nodes:
        return "the plan has no step"
    if graph.twice:
        return "a tool stands in two steps"
    if strange := sorted(graph.nodes - set(known)):
        return f"there is no tool {strange[0]!r}"
    if loose := sorted({before for before, _ in graph.links} - graph.nodes):
        return f"{loose[0]!r} is waited for but is no step"
    waits: Mapping[str, set[str]] = {
        node: {before for before, after in graph.links if after == node} for node in graph.nodes
    }
    try:
        TopologicalSorter(waits).prepare()
    except CycleError:
        return "the steps wait for each other"
    return None


def f1(found: Set[Any], gold: Set[Any]) -> float:
    """Two empty sets agree."""
    return 2 * len(found & gold) / (len(found) + len(gold)) if found or gold else 1.0


def _is_step(step: Any) -> bool:
    if not isinstance(step, Mapping) or not isinstance(step.get("tool"), str):
        return False
    after = step.get("after") or []
    return isinstance(after, list) and all(isinstance(name, str) for name in after)
