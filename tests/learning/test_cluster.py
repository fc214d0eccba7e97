"""Groups of work, and which of them could be handed over."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.learning.cluster import Clusters, clusters_of
from orchestrator.learning.examples import Example

TOPICS = {"printer": "it", "invoice": "finance", "holiday": "hr"}


def world(n: int = 60, confusing: str = "", stray: int = 0) -> tuple[list[Example], np.ndarray]:
    """Three tight groups; the answers of one of them follow nothing when it is `confusing`."""
    random = np.random.default_rng(0)
    centres = {topic: random.normal(size=24) for topic in TOPICS}
    examples, vectors = [], []
    for number in range(n):
        topic = [*TOPICS][number % 3]
        answer = ["it", "finance", "hr"][random.integers(3)] if topic == confusing else TOPICS[topic]
        examples.append(Example(text=f"about my {topic} {number}", answer=answer, by="file", origin="f"))
        vectors.append(centres[topic] + 0.1 * random.normal(size=24))
    for number in range(stray):
        examples.append(Example(text=f"something else {number}", answer="it", by="file", origin="f"))
        vectors.append(5 * random.normal(size=24))
    made = np.array(vectors)
    return examples, (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def found(n: int = 300, confusing: str = "", stray: int = 0) -> Clusters:
    return clusters_of(*world(n, confusing, stray))


def test_groups_are_found_and_named_by_what_sets_them_apart() -> None:
    clusters = found().clusters
    assert [cluster.size for cluster in clusters] == [100, 100, 100]
    assert {cluster.words[0] for cluster in clusters} == set(TOPICS)
    for cluster in clusters:
        assert cluster.answers == ((TOPICS[cluster.words[0]], 100),)
        assert all(cluster.words[0] in text for text in cluster.members)


def test_only_groups_whose_neighbours_agree_are_replaceable() -> None:
    seen = found(confusing="holiday")
    by_topic = {cluster.words[0]: cluster for cluster in seen.clusters}
    assert by_topic["printer"].replaceable
    assert by_topic["printer"].agreement == 1.0
    assert not by_topic["holiday"].replaceable
    assert by_topic["holiday"].agreement < 0.6
    assert seen.replaceable == pytest.approx(200 / 300)


def test_few_texts_that_agree_are_not_enough() -> None:
    """All right on 20 texts still allows for 14 % wrong."""
    assert all(cluster.agreement == 1.0 and not cluster.replaceable for cluster in found(60).clusters)


def test_single_texts_lie_in_no_group() -> None:
    seen = found(stray=30)
    assert seen.coverage < 0.98
    assert {cluster.words[0] for cluster in seen.clusters} >= set(TOPICS)


@pytest.mark.parametrize("n", [0, 3, 9])
def test_too_few_texts_make_no_groups(n: int) -> None:
    examples, vectors = world(max(n, 3))
    assert clusters_of(examples[:n], vectors[:n]).clusters == ()
