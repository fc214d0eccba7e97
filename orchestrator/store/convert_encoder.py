"""An encoder in safetensors (BERT or MPNet) -> model.onnx, in float32 or int8, without torch.

The graph is written out in the operators that run fastest on a CPU, which is not always what onnxruntime's
own fusions choose (measured, operator by operator). It ends at `last_hidden_state` (batch, tokens,
dimensions); mean pooling and normalising belong to the runtime, which knows the attention mask.

Where a delta lies beside the weights, it is merged into them, and its head becomes the output `scores`: of
the normalised mean of the tokens' vectors for a text or a pair, of each token for tags. The head stays in
float32.

int8 (both weights and activations) needs care, or the embeddings drift: see `convert_smooth.py`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.errors import StoreError
from orchestrator.store.blocks import Floats
from orchestrator.store.convert_onnx import MICROSOFT, Graph
from orchestrator.store.convert_smooth import divisors, largest_activations
from orchestrator.store.delta import DELTA, read_delta
from orchestrator.store.encoder_families import FAMILIES, Family, distance_biases
from orchestrator.store.packing import BLOCK, pack
from orchestrator.store.safetensors import read_safetensors
from orchestrator.types import HEAD_FILE, Head

if TYPE_CHECKING:
    from orchestrator.store.convert import Say
    from orchestrator.store.converting import Request

_KEPT = ("config.json", "tokenizer.json")


def run(request: Request, say: Say) -> None:
    request.check_no_options()
    if request.precision not in ("float32", "int8"):
        raise StoreError(
            f"encoder-to-onnx has no precision {request.precision!r}; it knows float32 and int8.",
            hint="Correct `precision` in the card's conversion.",
        )
    config = _config(request.source / "config.json")
    weights = {
        name.removeprefix(config.family.prefix): values
        for name, values in read_safetensors(request.source / "model.safetensors").items()
    }
    head = None
    if (delta_file := request.source / DELTA).is_file():
        delta = read_delta(delta_file)
        if (head := delta.head) is None:
            raise StoreError(f"{DELTA} has no head, and an encoder's delta is nothing without one.")
        weights = delta.applied(weights)
        if head.kind == "score-pairs":
            weight, offset = weights["head.weight"][0], weights["head.bias"][0]
            head = head.model_copy(update={"weights": tuple(weight.tolist()), "offset": float(offset)})
        (request.output / HEAD_FILE).write_text(head.model_dump_json(indent=2) + "\n", "utf-8")
    largest = None
    if request.precision == "int8":
        say("looking for large activations", None, None)
        largest = _probe(request.work, weights, config, request.source / "tokenizer.json")
    say("writing the graph", None, None)
    with Graph(request.output) as graph:
        in_graph = None if head and head.kind == "score-pairs" else head  # compares what two passes made
        Encoder(graph, weights, config, largest, in_graph).write()
    for name in _KEPT:
        shutil.copyfile(request.source / name, request.output / name)


@dataclass(frozen=True)
class Config:
    family: Family
    layers: int
    hidden: int
    heads: int
    epsilon: float


def _config(path: Path) -> Config:
    raw: dict[str, Any] = json.loads(path.read_bytes())
    known = {
        "model_type": tuple(FAMILIES),
        "hidden_act": ("gelu",),
        "position_embedding_type": ("absolute",),
        "relative_attention_num_buckets": (32,),
    }
    for key, values in known.items():
        if raw.get(key, values[0]) not in values:
            allowed = " and ".join(map(repr, values))
            raise StoreError(
                f"This encoder has {key} {raw[key]!r}; encoder-to-onnx converts {allowed} only.",
                hint="Use the model's own ONNX file with the recipe `none`.",
            )
    return Config(
        FAMILIES[raw.get("model_type", "bert")],
        raw["num_hidden_layers"],
        raw["hidden_size"],
        raw["num_attention_heads"],
        raw["layer_norm_eps"],
    )


def _probe(work: Path, weights: Mapping[str, Floats], config: Config, tokenizer: Path) -> dict[str, Floats]:
    """Write the float32 model with the inputs of its matrix products as outputs, and run it."""
    folder = work / "probe"
    folder.mkdir()
    with Graph(folder) as graph:
        encoder = Encoder(graph, weights, config, None)
        encoder.write(probe=True)
    return largest_activations(folder / "model.onnx", encoder.multiplied, tokenizer)


class Encoder:
    """Writes one encoder into a graph; `largest` activations are given for int8, None for float32."""

    def __init__(
        self,
        graph: Graph,
        weights: Mapping[str, Floats],
        config: Config,
        largest: Mapping[str, Floats] | None,
        head: Head | None = None,
    ) -> None:
        self._graph = graph
        self._weights = weights
        self._config = config
        self._family = config.family
        self._largest = largest
        self._head = head
        self.multiplied: dict[str, int] = {}  # activation that enters a matrix product -> its width

    def write(self, probe: bool = False) -> None:
        hidden = self._embeddings()
        self._constants()
        for layer in range(self._config.layers):
            hidden = self._layer(f"encoder.layer.{layer}", hidden)
        self._graph.node("Identity", [hidden], "last_hidden_state")
        wide = ("batch", "tokens")
        outputs = self.multiplied if probe else {}
        scores = {} if self._head is None or probe else {"scores": (np.float32, self._scores(self._head))}
        inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if self._family.token_types else [])]
        self._graph.save(
            dict.fromkeys(inputs, (np.int64, wide)),
            {
                "last_hidden_state": (np.float32, (*wide, self._config.hidden)),
                **scores,
                **{name: (np.float32, (*wide, width)) for name, width in outputs.items()},
            },
        )

    def _scores(self, head: Head) -> tuple[int | str, ...]:
        """The last layer, of the mean token's direction or of each token; returns its output's shape."""
        graph, bias = self._graph, self._floats("head.bias")
        if head.kind == "tag":
            matrix = graph.weight("head.matrix", self._weights["head.weight"].T)
            graph.node("Add", [graph.node("MatMul", ["last_hidden_state", matrix], "tags"), bias], "scores")
            return ("batch", "tokens", head.width)
        graph.constant("over tokens", [1])
        graph.constant("last", [-1])
        weight = graph.node("Unsqueeze", ["kept", "last"], "weight of tokens")
        kept = graph.node("Mul", ["last_hidden_state", weight], "kept tokens")
        total = graph.node("ReduceSum", [kept, "over tokens"], "sum of tokens", keepdims=0)
        mean = graph.node("LpNormalization", [total], "embedding", axis=-1, p=2)
        graph.node("Gemm", [mean, self._floats("head.weight"), bias], "scores", transB=1)
        return ("batch", head.width)

    def _constants(self) -> None:
        graph, config = self._graph, self._config
        graph.constant("heads", [0, 0, config.heads, config.hidden // config.heads])
        graph.constant("together", [0, 0, config.hidden])
        graph.constant("everywhere", [1, 2])
        graph.constant("one", 1, np.float32)
        graph.constant("never", -1e9, np.float32)
        kept = graph.node("Cast", ["attention_mask"], "kept", to=_FLOAT)
        dropped = graph.node("Sub", ["one", kept], "dropped")
        barred = graph.node("Mul", [dropped, "never"], "barred")
        if (table := self._family.distances) is None:
            graph.node("Unsqueeze", [barred, "everywhere"], "mask")
        else:
            padding = graph.node("Unsqueeze", [barred, "everywhere"], "padding")
            graph.node("Add", [padding, self._by_distance(self._weights[table])], "mask")

    def _by_distance(self, table: Floats) -> str:
        """(heads, tokens, tokens): what each score gets for how far apart its tokens are."""
        graph = self._graph
        longest = len(self._positions())
        biases = graph.weight("distance.biases", distance_biases(table, longest))
        for name, value in (("no token", 0), ("a token", 1), ("same place", longest - 1)):
            graph.constant(name, value)
        graph.constant("down", [1])
        count = graph.node("Squeeze", ["size"], "count")
        places = graph.node("Range", ["no token", count, "a token"], "places")
        below = graph.node("Unsqueeze", [places, "down"], "places from above to below")
        later = graph.node("Sub", [places, below], "later")
        distance = graph.node("Add", [later, "same place"], "distance")
        return graph.node("Gather", [biases, distance], "by distance", axis=1)

    def _positions(self) -> Floats:
        return self._weights["embeddings.position_embeddings.weight"][self._family.first_position :]

    def _embeddings(self) -> str:
        """Words, token types where there are any, and positions, added and normalised."""
        graph = self._graph
        graph.constant("start", [0])
        graph.constant("width", [1])
        words = self._words("embeddings.word_embeddings.weight")
        types = self._types() if self._family.token_types else None
        size = graph.node("Shape", ["input_ids"], "size", start=1)
        table = graph.weight("embeddings.position_embeddings.weight", self._positions())
        positions = graph.node("Slice", [table, "start", size, "start", "width"], "positions")
        if types:
            words = graph.node("Add", [words, types], "words+types")
        total = graph.node("Add", [words, positions], "total")
        return self._normalise("embeddings.LayerNorm", total, "embedded")

    def _types(self) -> str:
        table = self._floats("embeddings.token_type_embeddings.weight")
        return self._graph.node("Gather", [table, "token_type_ids"], "types")

    def _words(self, name: str) -> str:
        if self._largest is None:
            return self._graph.node("Gather", [self._floats(name), "input_ids"], "words")
        packed = pack(np.ascontiguousarray(self._weights[name]).view(np.uint8), "F32", "int8", 8)
        codes = self._graph.weight(f"{name}.codes", packed.codes.reshape(len(packed.codes), -1))
        scale = self._graph.weight(f"{name}.scale", packed.scale)
        options = {"bits": 8, "block_size": BLOCK, "gather_axis": 0, "quantize_axis": 1}
        inputs = [codes, "input_ids", scale]
        return self._graph.node("GatherBlockQuantized", inputs, "words", domain=MICROSOFT, **options)

    def _layer(self, at: str, hidden: str) -> str:
        attended = self._attention(at, hidden)
        dense = self._product(attended, f"{at}.{self._family.mixed}")
        hidden = self._add_and_normalise(f"{at}.{self._family.norm}", dense, hidden)
        wide = self._product(hidden, f"{at}.intermediate.dense")
        opened = self._graph.node("Gelu", [wide], f"{at}.opened", domain=MICROSOFT)
        dense = self._product(opened, f"{at}.output.dense")
        return self._add_and_normalise(f"{at}.output.LayerNorm", dense, hidden)

    def _attention(self, at: str, hidden: str) -> str:
        """Plain operators: onnxruntime's one for attention is slower on a CPU when there is a mask."""
        graph, family = self._graph, self._family
        names = [f"{at}.{which}" for which in (family.query, family.key, family.value)]
        query, key, value = map(self._heads, self._products(hidden, names), _ORDERS)
        at = names[0].rpartition(".")[0]
        alpha = (self._config.hidden / self._config.heads) ** -0.5
        scores = graph.node("FusedMatMul", [query, key], f"{at}.scores", domain=MICROSOFT, alpha=alpha)
        masked = graph.node("Add", [scores, "mask"], f"{at}.masked")
        shares = graph.node("Softmax", [masked], f"{at}.shares", axis=-1)
        mixed = graph.node("MatMul", [shares, value], f"{at}.mixed")
        back = graph.node("Transpose", [mixed], f"{at}.back", perm=[0, 2, 1, 3])
        return graph.node("Reshape", [back, "together"], f"{at}.out")

    def _heads(self, product: str, order: list[int]) -> str:
        cut = self._graph.node("Reshape", [product, "heads"], f"{product}.cut")
        return self._graph.node("Transpose", [cut], f"{product}.heads", perm=order)

    def _add_and_normalise(self, name: str, dense: str, hidden: str) -> str:
        # Sum, not Add: Add would be fused into SkipLayerNormalization, which is slower than these two.
        total = self._graph.node("Sum", [dense, hidden], f"{name}.total")
        return self._normalise(name, total, f"{name}.out")

    def _normalise(self, name: str, x: str, output: str) -> str:
        inputs = [x, self._floats(f"{name}.weight"), self._floats(f"{name}.bias")]
        epsilon = self._config.epsilon
        return self._graph.node("LayerNormalization", inputs, output, axis=-1, epsilon=epsilon)

    def _product(self, x: str, name: str) -> str:
        return self._products(x, [name])[0]

    def _products(self, x: str, names: Sequence[str]) -> list[str]:
        """x times each transposed matrix, plus its bias."""
        matrices = {name: self._weights[f"{name}.weight"].T for name in names}
        self.multiplied[x] = self._weights[f"{names[0]}.weight"].shape[1]
        if self._largest is not None:
            return self._int8_products(x, matrices, self._largest[x])
        return [self._float_product(x, name, matrix) for name, matrix in matrices.items()]

    def _float_product(self, x: str, name: str, matrix: Floats) -> str:
        product = self._graph.node("MatMul", [x, self._graph.weight(f"{name}.weight", matrix)], f"{name}.raw")
        return self._graph.node("Add", [product, self._floats(f"{name}.bias")], f"{name}.out")

    def _int8_products(self, x: str, matrices: Mapping[str, Floats], largest: Floats) -> list[str]:
        """Smooth x and round it to 8 bits, once for all the matrices that read it."""
        by = divisors(largest, np.concatenate(list(matrices.values()), axis=1))
        smoothed = self._graph.node("Mul", [x, self._graph.weight(f"{x}.by", 1 / by)], f"{x}.smoothed")
        rounded = [f"{x}.codes", f"{x}.scale", f"{x}.zero"]
        self._graph.node("DynamicQuantizeLinear", [smoothed], rounded)
        return [self._int8_product(rounded, name, matrix * by[:, None]) for name, matrix in matrices.items()]

    def _int8_product(self, rounded: Sequence[str], name: str, matrix: Floats) -> str:
        """One scale for each column of the matrix; those of x are found when the model runs."""
        graph, (x, x_scale, x_zero) = self._graph, rounded
        scale = np.maximum(np.abs(matrix).max(axis=0) / 127, np.finfo(np.float32).tiny)
        codes = graph.weight(f"{name}.codes", np.rint(matrix / scale).astype(np.int8))
        graph.weight(f"{name}.scale", scale)
        inputs = [x, codes, x_scale, f"{name}.scale", x_zero, "", self._floats(f"{name}.bias")]
        return graph.node("MatMulIntegerToFloat", inputs, f"{name}.out", domain=MICROSOFT)

    def _floats(self, name: str) -> str:
        return self._graph.weight(name, self._weights[name])


_FLOAT = 1  # onnx.TensorProto.FLOAT
# How (batch, tokens, heads, size) is turned for query, key and value, so that query times key is one product.
_ORDERS = ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
