"""Make an encoder's activations fit for int8.

Rounding to int8 at run time gives all activations that enter a matrix product one scale. A BERT has a few
hidden dimensions that are some twenty times larger than the rest, so that scale leaves the rest a handful of
steps: with onnxruntime's default settings the worst cosine to float32 on 200 sentences was 0.87. Two
remedies, neither of which changes what the model computes in float32:

- one scale for each column of a weight instead of one for all, which alone gives 0.95;
- smoothing: divide each input dimension by s and multiply the weight's row by s, with
  s = (largest activation)^0.7 / (largest weight)^0.3. That moves size from the activations, which have one
  scale, into the weights, which have many (SmoothQuant, arXiv 2211.10438). Together: 0.99.

Blocks of 8 bits (MatMulNBits) give 0.998, but where a processor has int8 matrix instructions they run at half
the speed, no faster than float32. Figures: docs/decisions/0004-int8-encoder.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from orchestrator.store.blocks import Floats

_EXPONENT = 0.7
_SMALLEST = 1e-5
# What the largest activations are looked for in: short, long, English, Dutch, code, numbers.
_TEXTS = (
    "The parcel was left with the neighbours because nobody answered the door.",
    "Kun je de offerte voor vrijdag nakijken?",
    "def total(lines): return sum(line.price * line.count for line in lines)",
    "Error 404: page not found",
    "Ik wil graag een afspraak maken bij de tandarts.",
    "How tall is the church tower, and when was it built?",
    "Invoice 7781 of 12 May amounts to 1,250.00 euro, tax included.",
    "no",
    '{"city": "Antwerp", "days": 3}',
    "We have not received the goods yet; could you tell us where they are? The order was placed three "
    "weeks ago and paid in advance.",
    "Waarom is de lucht blauw?",
    "The committee agreed that the garden should be opened to visitors in spring, provided that dogs stay "
    "outside.",
)


def largest_activations(model: Path, names: Iterable[str], tokenizer: Path) -> dict[str, Floats]:
    """For each named output of the model: the largest absolute value in each of its dimensions."""
    import onnxruntime
    from tokenizers import Tokenizer

    session = onnxruntime.InferenceSession(str(model))
    encoder = Tokenizer.from_file(str(tokenizer))
    encoder.no_padding()
    names, inputs = list(names), {node.name for node in session.get_inputs()}
    largest: dict[str, Floats] = {}
    for text in _TEXTS:
        ids = np.array([encoder.encode(text).ids], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        asked = {name: value for name, value in feed.items() if name in inputs}
        for name, value in zip(names, session.run(names, asked), strict=True):
            peak = np.abs(value).max(axis=(0, 1))
            largest[name] = np.maximum(largest.get(name, peak), peak)
    return largest


def divisors(largest: Floats, matrix: Floats) -> Floats:
    """By what to divide each input dimension of `matrix` (inputs, outputs)."""
    rows = np.maximum(np.abs(matrix).max(axis=1), _SMALLEST)
    by = np.maximum(largest, _SMALLEST) ** _EXPONENT / rows ** (1 - _EXPONENT)
    return np.asarray(by, dtype=np.float32)
