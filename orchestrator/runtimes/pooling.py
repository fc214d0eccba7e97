"""From hidden states to embeddings: length buckets on the way in, mean pooling on the way out.

Shared by the ONNX and the torch encoder, so that a difference between them is a difference of the models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def buckets(lengths: Sequence[int], padded_tokens: int) -> Iterator[list[int]]:
    """Indices grouped by similar length: each batch pads to at most `padded_tokens`, or holds one text."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        if batch and (len(batch) + 1) * lengths[index] > padded_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def padded(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and attention mask, both of shape (texts, longest)."""
    ids = np.zeros((len(rows), max(len(row) for row in rows)), dtype=np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return ids, mask


def mean_pooled(hidden: NDArray[np.float32], mask: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean over the real tokens, then L2-normalised. hidden: (texts, tokens, dimensions)."""
    weights = mask[..., None].astype(np.float32)
    mean = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
    norm = np.linalg.norm(mean, axis=1, keepdims=True)
    return np.asarray(mean / np.maximum(norm, 1e-12), dtype=np.float32)
