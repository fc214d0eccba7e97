"""Quantise an exported encoder to int8 without losing its embeddings.

onnxruntime's dynamic quantisation gives all activations that enter a matrix product one scale. A BERT has a
few hidden dimensions that are some twenty times larger than the rest, so that scale leaves the rest a
handful of steps: on 200 sentences the worst cosine to float32 was 0.87. Two remedies, both exact in float32:

- one scale per output column of a weight (`per_channel`), which alone gives 0.95;
- smoothing: divide each input dimension by s and multiply the weight's row by s, with
  s = (largest activation)^0.7 / (largest weight)^0.3. That moves the large dimensions' size into the
  weights, which have scales to spare (SmoothQuant, arXiv 2211.10438). Together: 0.99.

Smoothing needs to know the largest activations, hence a dozen calibration texts, written for this purpose.
Quantising to blocks of 8 bits (MatMulNBits) gives 0.998, but runs no faster than float32 where the
processor has int8 matrix instructions, so it was not chosen. Figures: docs/decisions/0003-int8-encoder.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_EXPONENT = 0.7
_SMALLEST = 1e-5
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


def quantise(source: Path, tokenizer: Path, target: Path, work: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    smoothed = work / "smoothed.onnx"
    model = onnx.load(str(source))
    _smooth(model, tokenizer)
    onnx.save(model, str(smoothed))
    quantize_dynamic(str(smoothed), str(target), weight_type=QuantType.QInt8, per_channel=True)


def _smooth(model: Any, tokenizer: Path) -> None:
    """Insert one multiplication before each group of matrix products that read the same activation."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in weights]
    readers: dict[str, list[Any]] = {}
    for node in products:
        readers.setdefault(node.input[0], []).append(node)
    largest = _largest_activations(model, list(readers), tokenizer)
    for activation, nodes in readers.items():
        _smooth_one(model.graph, weights, activation, nodes, largest[activation])


def _largest_activations(model: Any, names: list[str], tokenizer: Path) -> dict[str, NDArray[np.float32]]:
    """For each named activation: the largest absolute value in each of its dimensions."""
    import onnx
    import onnxruntime
    from tokenizers import Tokenizer

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(probe.SerializeToString())
    encoder = Tokenizer.from_file(str(tokenizer))
    encoder.no_padding()
    largest: dict[str, NDArray[np.float32]] = {}
    for text in _TEXTS:
        ids = np.array([encoder.encode(text).ids], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        for name, value in zip(names, session.run(names, feed), strict=True):
            peak = np.abs(value).max(axis=(0, 1))
            largest[name] = np.maximum(largest.get(name, peak), peak)
    return largest


def _smooth_one(
    graph: Any, weights: dict[str, Any], activation: str, nodes: list[Any], largest: NDArray[np.float32]
) -> None:
    from onnx import helper, numpy_helper

    matrices = {name: numpy_helper.to_array(weights[name]) for name in {node.input[1] for node in nodes}}
    rows = np.max([np.abs(matrix).max(axis=1) for matrix in matrices.values()], axis=0)
    scale = np.maximum(largest, _SMALLEST) ** _EXPONENT / np.maximum(rows, _SMALLEST) ** (1 - _EXPONENT)
    for name, matrix in matrices.items():
        scaled = (matrix * scale[:, None]).astype(np.float32)
        weights[name].CopyFrom(numpy_helper.from_array(scaled, name))
    name = f"{activation}/smoothed"
    graph.initializer.append(numpy_helper.from_array((1 / scale).astype(np.float32), f"{name}/by"))
    first = next(index for index, node in enumerate(graph.node) if node in nodes)
    graph.node.insert(first, helper.make_node("Mul", [activation, f"{name}/by"], [name], name=name))
    for node in nodes:
        node.input[0] = name
