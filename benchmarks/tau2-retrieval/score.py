"""tau2 banking: which of 698 policy documents does a customer's situation need?

A situation is the instruction of a simulated customer, without what it says of how to behave and of who the
customer is (numbers, addresses), for every arm alike. Every fourth task is for working on prompts and
weights, the others are measured; there is nothing to learn from.

A case's grade is capped recall at 5 (Thakur et al., BEIR, 2021): needed documents among the first five, out
of as many as could be there. Tasks need nine documents on average, so plain recall at 5 could not reach 1.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.bench.cases import Case

_FIRST = 5
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_NOT_THE_MATTER = re.compile(
    r"playing the role|your character|do not|don't|never|volunteer|user id|date of birth|phone number|e-?mail"
    r"|address|only (?:mention|provide)|customer (?:service|support)|how to behave|start naturally",
    re.IGNORECASE,
)
_MARKS = re.compile(r"\*\*|^#+\s*|^\s*[-*]\s+|^\s*\d+\.\s+", re.MULTILINE)


def read_cases(files: Mapping[str, Path], category: str) -> Iterator[Case]:
    """`category` is `test` or `dev`; gold is the list of files that are needed."""
    wanted = {"test": False, "dev": True}[category]
    for place, task in enumerate(json.loads(files["tasks.json"].read_text("utf-8"))):
        if (place % 4 == 0) == wanted:
            text = situation(task["user_scenario"]["instructions"])
            gold = [file_of(name) for name in task["required_documents"]]
            yield Case(id=task["id"], category=category, inputs={"text": text}, gold=gold)


def score(files: Mapping[str, Path], case: Case, answer: Any) -> float:
    found = set(answer["files"][:_FIRST]) & set(case.gold)
    return len(found) / min(_FIRST, len(case.gold))


def metrics(pairs: Sequence[tuple[Case, Any]]) -> dict[str, float]:
    """Recall at 1 and 5, the share of cases whose first document is needed, and the mean reciprocal rank."""
    ranked = [(set(case.gold), answer["files"] if answer else []) for case, answer in pairs]
    firsts = [next((n for n, file in enumerate(files, 1) if file in gold), 0) for gold, files in ranked]
    many = len(ranked)
    return {
        "recall_at_1": sum(len(gold & set(files[:1])) / len(gold) for gold, files in ranked) / many,
        "recall_at_5": sum(len(gold & set(files[:_FIRST])) / len(gold) for gold, files in ranked) / many,
        "hit_at_1": sum(first == 1 for first in firsts) / many,
        "mrr": sum(1 / first for first in firsts if first) / many,
    }


def materials(files: Mapping[str, Path], folder: Path) -> None:
    """All documents; a document that a task needs is no secret, which one it is is."""
    place = folder / "documents"
    place.mkdir()
    for document in json.loads(gzip.decompress(files["documents.json.gz"].read_bytes())):
        text = f"# {document['title']}\n\n{document['content']}\n"
        (place / file_of(document["id"])).write_text(text, "utf-8")


def situation(instructions: str) -> str:
    """What the customer wants, out of how to play one."""
    sentences = _SENTENCE.split(_MARKS.sub("", instructions))
    kept = [one.strip() for one in sentences if one.strip() and not _NOT_THE_MATTER.search(one)]
    return " ".join(kept) or instructions


def file_of(name: str) -> str:
    return f"{re.sub(r'[^a-zA-Z0-9_-]', '', name)}.md"
