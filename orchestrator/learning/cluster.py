"""S3: what kinds of work there are among the texts of a project, and which of them a specialist could take.

Texts are embedded by the small encoder and grouped by density (HDBSCAN, Campello et al. 2013, as scikit-learn
has it), which needs no number of groups and leaves single texts out. A group is *replaceable* when texts
near one another have the same answer: each is given the answer of its nearest neighbours in the group, and
the share that comes out right must be shown to be high, not just be high. No model is trained for this.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.learning.examples import Example
from orchestrator.routing.guarantee import upper_bound
from orchestrator.store.blocks import Floats
from orchestrator.store.files import hash_of
from orchestrator.types import Record

_NEIGHBOURS, _SHOWN = 5, 3
# A group has at least a hundredth of the texts; it need not have more than the second, and not fewer than the
# first. Of CLINC150's 150 intents (15,000 training texts) 301 make two groups; 20 make 163, in which
# nine texts of ten (mean over groups) have the same answer.
_FEWEST, _ENOUGH = 5, 20
_REPLACEABLE = 0.9
_WORD = re.compile(r"[^\W\d_]{3,}")


class Cluster(Record):
    """One group. `members`: the texts nearest to its middle. `words`: those that set it apart.

    `agreement`: the share of texts that their neighbours answer rightly; `at_least`: what is shown of it, at
    95 % one-sided. `answers`: the commonest, with how many texts have it.
    """

    size: int
    words: tuple[str, ...]
    members: tuple[str, ...]
    answers: tuple[tuple[str, int], ...]
    agreement: float
    at_least: float

    @property
    def replaceable(self) -> bool:
        return self.at_least >= _REPLACEABLE


class Clusters(Record):
    """Of all texts. `coverage`: the share that lies in a group; `replaceable`: in one that is replaceable."""

    texts: int
    coverage: float
    replaceable: float
    clusters: tuple[Cluster, ...]


def clusters_of(examples: Sequence[Example], vectors: Floats) -> Clusters:
    """`vectors`: unit vectors of the texts, in their order. The largest group comes first."""
    from sklearn.cluster import HDBSCAN

    fewest = max(_FEWEST, min(len(examples) // 100, _ENOUGH))
    if len(examples) < 2 * fewest:
        return Clusters(texts=len(examples), coverage=0.0, replaceable=0.0, clusters=())
    # Of unit vectors the Euclidean distance orders as the cosine does.
    labels = HDBSCAN(min_cluster_size=fewest, min_samples=2, copy=True).fit_predict(vectors)
    everywhere = Counter(word for example in examples for word in _words(example.text))
    groups = [np.flatnonzero(labels == label) for label in sorted(set(labels.tolist()) - {-1})]
    found = sorted(
        (_cluster(examples, vectors, places, everywhere) for places in groups), key=lambda c: -c.size
    )
    total = len(examples)
    return Clusters(
        texts=total,
        coverage=sum(cluster.size for cluster in found) / total,
        replaceable=sum(cluster.size for cluster in found if cluster.replaceable) / total,
        clusters=tuple(found),
    )


def _cluster(
    examples: Sequence[Example], vectors: Floats, places: NDArray[np.int64], everywhere: Counter[str]
) -> Cluster:
    own = [examples[place] for place in places]
    near = vectors[places] @ vectors[places].mean(axis=0)
    agreement, at_least = _agreement([_answer(example) for example in own], vectors[places])
    return Cluster(
        size=len(own),
        words=_telling(own, everywhere, len(examples)),
        members=tuple(own[place].text for place in np.argsort(-near, kind="stable")[:_SHOWN]),
        answers=tuple(Counter(_answer(example) for example in own).most_common(_SHOWN)),
        agreement=agreement,
        at_least=at_least,
    )


def _agreement(answers: Sequence[str], vectors: Floats) -> tuple[float, float]:
    """Each text answered by its nearest neighbours, itself left out."""
    from sklearn.neighbors import NearestNeighbors

    many = min(_NEIGHBOURS, len(answers) - 1)
    nearest = NearestNeighbors(n_neighbors=many).fit(vectors).kneighbors(return_distance=False)
    votes = [Counter(answers[other] for other in row).most_common(1)[0][0] for row in nearest]
    wrong = sum(vote != answer for vote, answer in zip(votes, answers, strict=True))
    return 1 - wrong / len(answers), 1 - upper_bound(wrong, len(answers), 0.05)


def _telling(own: Sequence[Example], everywhere: Counter[str], total: int) -> tuple[str, ...]:
    """Words that come more often here than elsewhere: share here minus share in all texts."""
    here = Counter(word for example in own for word in _words(example.text))
    gain = {word: count / len(own) - everywhere[word] / total for word, count in here.items()}
    return tuple(sorted(gain, key=lambda word: (-gain[word], word))[:_SHOWN])


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def _answer(example: Example) -> str:
    """Labels as they are; anything else by its hash, since only whether it is the same counts."""
    if example.answer is None or isinstance(example.answer, str):
        return str(example.answer)
    return hash_of(example.answer)[:12]
