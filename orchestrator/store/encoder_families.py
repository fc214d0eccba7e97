"""In what the encoders differ that `convert_encoder.py` writes: BERT (Devlin et al., arXiv 1810.04805) and
MPNet (Song et al., arXiv 2004.09297).

MPNet has other names for the same matrices, no token types, and positions that begin after two kept for
padding. Besides, each attention score gets a bias that depends on how far apart its two tokens are, and which
of them comes first. These distances are sorted into buckets, as in T5 (Raffel et al., arXiv 1910.10683): one
for each small distance, and wider and wider ones beyond. A layer has no biases of its own; all share them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.store.blocks import Floats

Places = NDArray[np.int64]
_FARTHEST = 128  # tokens; from here on all share the last bucket


class Family(NamedTuple):
    """Names are within a layer, but for `distances`, the table (buckets, heads) of the biases."""

    prefix: str
    query: str
    key: str
    value: str
    mixed: str
    norm: str
    first_position: int = 0
    token_types: bool = True
    distances: str | None = None


FAMILIES = {
    "bert": Family(
        "bert.",
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "attention.output.LayerNorm",
    ),
    "mpnet": Family(
        "mpnet.",
        "attention.attn.q",
        "attention.attn.k",
        "attention.attn.v",
        "attention.attn.o",
        "attention.LayerNorm",
        first_position=2,
        token_types=False,
        distances="encoder.relative_attention_bias.weight",
    ),
}


def distance_biases(table: Floats, longest: int) -> Floats:
    """(heads, 2 * longest - 1): the bias where the other token comes -(longest - 1) to longest - 1 later."""
    return np.ascontiguousarray(table[bucket_of(np.arange(1 - longest, longest), len(table))].T)


def bucket_of(later: Places, buckets: int) -> Places:
    """The first half of the buckets is for the token itself and those before it, the second for the rest."""
    half = buckets // 2
    exact = half // 2
    far = np.maximum(np.abs(later), 1).astype(np.float32)
    wide = np.log(far / exact) / math.log(_FARTHEST / exact) * (half - exact)
    beyond = np.minimum(exact + wide.astype(np.int64), half - 1)
    return np.where(later > 0, half, 0) + np.where(np.abs(later) < exact, np.abs(later), beyond)
