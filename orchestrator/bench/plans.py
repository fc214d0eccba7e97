"""How a plan of tools is scored, for every data set with plans; see `kit/plangraph.py` for the comparison.

A case's grade is the mean of its node F1 and its link F1: half for the right tools, half for their order. As
in the source, a plan that cannot be run has both too; how many can be run is a figure of its own. No step: 0.
`gold` is a list of steps, an answer `{"steps": [...]}`, and the tools that were shown are among the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.bench.cases import Case, Scored
from orchestrator.kit.plangraph import f1, graph_of, problem_of


def score_plan(case: Case, answer: Any) -> Scored:
    found, gold = graph_of(_steps(answer)), graph_of(case.gold)
    problem = problem_of(found, _known(case))
    if not found.nodes:
        return Scored(grade=0.0, kind="no_plan", error=problem)
    nodes, links = f1(found.nodes, gold.nodes), f1(found.links, gold.links)
    kind = None if nodes == links == 1 else "other_links" if nodes == 1 else "other_tools"
    return Scored(grade=(nodes + links) / 2, kind="no_plan" if problem else kind, error=problem)


def plan_metrics(pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
    """Means over the cases."""
    graphs = [(case, graph_of(_steps(answer)), graph_of(case.gold)) for case, answer in pairs]
    many = len(graphs)
    return {
        "node_f1": sum(f1(found.nodes, gold.nodes) for _, found, gold in graphs) / many,
        "link_f1": sum(f1(found.links, gold.links) for _, found, gold in graphs) / many,
        "valid_plan": sum(problem_of(found, _known(case)) is None for case, found, _ in graphs) / many,
        "exact_plan": sum(found == gold for _, found, gold in graphs) / many,
    }


def _steps(answer: Any) -> Any:
    return answer.get("steps") if isinstance(answer, dict) else None


def _known(case: Case) -> list[str]:
    return [tool["name"] for tool in case.inputs["tools"]]
