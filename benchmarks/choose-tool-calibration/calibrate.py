"""Fit the weights and the threshold of the agent `choose-tool`, and write down how.

    python benchmarks/choose-tool-calibration/calibrate.py DATA_FOLDER      # writes result.json beside it

Two sources, because requests differ in style: Seal-Tools dev (Apache-2.0, `DATA_FOLDER/seal-tools`), where
every request that needs exactly one of 4,076 tools is taken and the words of the tool often come back, and
as many requests of UltraTool outside its test split (MIT, `DATA_FOLDER/ultratool`), which are freer and need
two tools or more, any of which counts. Distractors are random or hard (near a right tool by cosine); the same
draws without a right tool are the cases in which to abstain. Weights come from a ridge-penalised logistic
regression on both, the threshold from the balanced accuracy out of fold. Fitted on Seal-Tools alone, half of
UltraTool's requests were refused. BFCL is not read.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.runtimes.base import Embedder, LoadOptions
from orchestrator.runtimes.registry import load_session
from orchestrator.settings import load_settings
from orchestrator.store import ModelStore
from orchestrator.tools import load_module
from orchestrator.workspace import find_workspace

HERE = Path(__file__).parent
AGENT = load_module(HERE.parent.parent / "agents" / "choose-tool" / "answer.py")
SEED = 20261122
SET_SIZES = (1, 2, 4)
DRAWS = 2
NEIGHBOURS = 40
# Above this cosine two tools do the same thing under two names, and either would be a right answer.
SAME_TOOL_COSINE = 0.85
FOLDS = 5
RIDGE = 1e-3
PLATEAU = 0.01
FILES = ("seal-tools/dev.jsonl", "seal-tools/tool.jsonl", "ultratool/data.json", "ultratool/tool_desc.json")
Floats = NDArray[np.float64]


class Case(NamedTuple):
    """One request against one set of tools; the right ones are in `gold` (empty: abstain)."""

    source: str
    group: int
    hard: bool
    rows: Floats
    gold: frozenset[int]


class Corpus(NamedTuple):
    """Requests, tools, which tools are right for each request, and the vectors of both."""

    name: str
    texts: list[str]
    tools: list[dict[str, Any]]
    gold: list[frozenset[int]]
    text_vectors: NDArray[np.float32]
    tool_vectors: NDArray[np.float32]

    def rows(self, request: int, tools: Sequence[int]) -> Floats:
        chosen = [self.tools[index] for index in tools]
        cosines = self.tool_vectors[list(tools)] @ self.text_vectors[request]
        made: Floats = AGENT.features(self.texts[request], chosen, cosines)
        return made


# --- data -----------------------------------------------------------------------------------------------


def read_seal_tools(folder: Path) -> tuple[list[str], list[dict[str, Any]], list[frozenset[int]]]:
    tools = [_seal_tool(item) for item in _lines(folder / "tool.jsonl")]
    places = {tool["name"]: index for index, tool in enumerate(tools)}
    single = [item for item in _lines(folder / "dev.jsonl") if len(item["calling"]) == 1]
    gold = [frozenset({places[item["calling"][0]["api"]]}) for item in single]
    return [item["query"] for item in single], tools, gold


def read_ultratool(folder: Path, limit: int) -> tuple[list[str], list[dict[str, Any]], list[frozenset[int]]]:
    nodes = json.loads((folder / "tool_desc.json").read_text())["nodes"]
    tools = [{"name": node["id"], "description": node["desc"]} for node in nodes]
    places = {tool["name"]: index for index, tool in enumerate(tools)}
    kept = {
        item
        for ids in json.loads((folder / "split_ids.json").read_text())["test_ids"].values()
        for item in ids
    }
    usable = [item for item in _lines(folder / "data.json") if item["id"] not in kept]
    chosen = random.Random(SEED).sample(usable, limit)
    gold = [frozenset(places[node["task"]] for node in item["task_nodes"]) for item in chosen]
    return [item["user_request"].strip() for item in chosen], tools, gold


def _seal_tool(item: dict[str, Any]) -> dict[str, Any]:
    parameters = {"properties": item["parameters"], "required": item["required"] or []}
    return {"name": item["api_name"], "description": item["api_description"], "parameters": parameters}


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines() if line]


async def embed_corpus(
    name: str, read: tuple[list[str], list[dict[str, Any]], list[frozenset[int]]], model: Embedder
) -> Corpus:
    texts, tools, gold = read
    text_vectors = (await model.embed(texts)).vectors
    tool_vectors = (await model.embed([AGENT.card_text(tool) for tool in tools])).vectors
    return Corpus(name, texts, tools, gold, text_vectors, tool_vectors)


def draw_cases(corpus: Corpus) -> Iterator[Case]:
    """For each request, size and difficulty: sets with a right tool (first) and sets without one."""
    rng = random.Random(SEED)
    everything = range(len(corpus.tools))
    for request, gold in enumerate(corpus.gold):
        right = min(gold)
        easy = [tool for tool in everything if tool not in gold]
        hard = _near(corpus, right, gold)
        for size in SET_SIZES:
            for pool, is_hard in ((easy, False), (hard, True)):
                for _ in range(DRAWS):
                    with_right = [right, *rng.sample(pool, size - 1)]
                    without = rng.sample(pool, size)
                    yield Case(
                        corpus.name, request, is_hard, corpus.rows(request, with_right), frozenset({0})
                    )
                    yield Case(corpus.name, request, is_hard, corpus.rows(request, without), frozenset())


def _near(corpus: Corpus, right: int, gold: frozenset[int]) -> list[int]:
    cosines = corpus.tool_vectors @ corpus.tool_vectors[right]
    order = [int(tool) for tool in np.argsort(-cosines) if int(tool) not in gold]
    return [tool for tool in order if cosines[tool] < SAME_TOOL_COSINE][:NEIGHBOURS]


# --- fit ------------------------------------------------------------------------------------------------


def training_rows(cases: Sequence[Case]) -> tuple[Floats, Floats]:
    """Right tools against the most tempting wrong one of each set that holds no right tool."""
    rows = [case.rows[0] if case.gold else case.rows[int(np.argmax(case.rows[:, 0]))] for case in cases]
    return np.array(rows), np.array([float(bool(case.gold)) for case in cases])


def fit(rows: Floats, labels: Floats) -> dict[str, float]:
    """Logistic regression by Newton's method; the bias is not penalised."""
    wide = np.column_stack([rows, np.ones(len(rows))])
    penalty = np.diag([RIDGE * len(rows)] * rows.shape[1] + [0.0])
    weights = np.zeros(wide.shape[1])
    for _ in range(50):
        odds = 1.0 / (1.0 + np.exp(-wide @ weights))
        slope = wide.T @ (odds - labels) + penalty @ weights
        curve = (wide * (odds * (1 - odds))[:, None]).T @ wide + penalty
        weights = weights - np.linalg.solve(curve, slope)
    names = [*AGENT.FEATURES, "bias"]
    return {name: round(float(value), 4) for name, value in zip(names, weights, strict=True)}


class Score(NamedTuple):
    """The best tool's probability in one case, whether it is a right one, and whether there was one."""

    source: str
    probability: float
    right: bool
    answerable: bool
    hard: bool
    size: int


def score(cases: Sequence[Case], weights: dict[str, float]) -> list[Score]:
    made = []
    for case in cases:
        fits = AGENT.probabilities(case.rows, weights)
        best = int(np.argmax(fits))
        made.append(
            Score(case.source, float(fits[best]), best in case.gold, bool(case.gold), case.hard, len(fits))
        )
    return made


def out_of_fold(cases: Sequence[Case]) -> list[Score]:
    scores: list[Score] = []
    for fold in range(FOLDS):
        train = [case for case in cases if case.group % FOLDS != fold]
        scores += score([case for case in cases if case.group % FOLDS == fold], fit(*training_rows(train)))
    return scores


def figures(scores: Sequence[Score], threshold: float) -> dict[str, float]:
    answerable = [item for item in scores if item.answerable]
    others = [item for item in scores if not item.answerable]
    right = sum(item.right and item.probability >= threshold for item in answerable) / len(answerable)
    abstained = sum(item.probability < threshold for item in others) / len(others)
    return {
        "right_tool": round(right, 4),
        "choice_without_abstaining": round(sum(item.right for item in answerable) / len(answerable), 4),
        "abstains_when_none_fits": round(abstained, 4),
        "balanced_accuracy": round((right + abstained) / 2, 4),
        "n_answerable": len(answerable),
        "n_unanswerable": len(others),
    }


def curve(scores: Sequence[Score]) -> list[dict[str, float]]:
    return [{"threshold": step / 100, **figures(scores, step / 100)} for step in range(5, 100, 5)]


def chosen_threshold(scores: Sequence[Score]) -> float:
    """The lowest threshold within a point of the best balanced accuracy, averaged over the sources.

    The curve is flat around its best, and scores fall on requests of another style than the fitted ones;
    the lower end of the plateau refuses fewer tools that do fit.
    """
    steps = [step / 100 for step in range(5, 96)]
    sources = [
        [item for item in scores if item.source == name] for name in sorted({s.source for s in scores})
    ]
    mean = {
        step: sum(figures(part, step)["balanced_accuracy"] for part in sources) / len(sources)
        for step in steps
    }
    return min(step for step in steps if mean[step] >= max(mean.values()) - PLATEAU)


# --- report ---------------------------------------------------------------------------------------------


async def calibrate(data: Path, model: Embedder) -> dict[str, Any]:
    seal = await embed_corpus("seal-tools-dev", read_seal_tools(data / "seal-tools"), model)
    ultra = await embed_corpus("ultratool-train", read_ultratool(data / "ultratool", len(seal.texts)), model)
    cases = [*draw_cases(seal), *draw_cases(ultra)]
    scores = out_of_fold(cases)
    threshold = chosen_threshold(scores)
    weights = fit(*training_rows(cases))
    return {
        "seed": SEED,
        "model": model.card.name,
        "data": _hashes(data, FILES),
        "weights": weights,
        "threshold": threshold,
        "out_of_fold": {corpus.name: _parts(scores, corpus.name, threshold) for corpus in (seal, ultra)},
        "seal_tools_dev_all_4076_tools": _whole_catalogue(seal, weights, threshold),
        "curve": {corpus.name: curve(_of(scores, corpus.name)) for corpus in (seal, ultra)},
    }


def _of(scores: Sequence[Score], source: str) -> list[Score]:
    return [item for item in scores if item.source == source]


def _parts(scores: Sequence[Score], source: str, threshold: float) -> dict[str, dict[str, float]]:
    own = _of(scores, source)
    return {
        "all": figures(own, threshold),
        "random": figures([item for item in own if not item.hard], threshold),
        "hard": figures([item for item in own if item.hard], threshold),
    }


def _whole_catalogue(corpus: Corpus, weights: dict[str, float], threshold: float) -> dict[str, float]:
    every = range(len(corpus.tools))
    cases = [
        Case(corpus.name, index, False, corpus.rows(index, every), gold)
        for index, gold in enumerate(corpus.gold)
    ]
    scores = score(cases, weights)
    right = sum(item.right for item in scores) / len(scores)
    kept = sum(item.right and item.probability >= threshold for item in scores) / len(scores)
    return {"choice_without_abstaining": round(right, 4), "right_tool": round(kept, 4), "n": len(scores)}


def _hashes(data: Path, names: Sequence[str]) -> dict[str, str]:
    return {name: hashlib.sha256((data / name).read_bytes()).hexdigest() for name in names}


def open_model(name: str) -> Embedder:
    """An installed model, by its card."""
    workspace = find_workspace()
    settings = load_settings(workspace.settings_files).settings
    store = ModelStore(settings.cache_dir, workspace.cards, workspace.card_folders)
    session = load_session(
        workspace.card(name), LoadOptions(folder=store.folder(name), threads=settings.threads)
    )
    if not isinstance(session, Embedder):
        raise SystemExit(f"{name} does not embed.")
    return session


def main() -> None:
    parser = argparse.ArgumentParser(description="Calibrate the agent choose-tool.")
    parser.add_argument("data", type=Path, help="folder that holds seal-tools/ and ultratool/")
    parser.add_argument("--model", default="minilm-l6")
    given = parser.parse_args()
    result = asyncio.run(calibrate(given.data, open_model(given.model)))
    (HERE / "result.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
