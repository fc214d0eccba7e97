"""S5: train a generator with low-rank changes, on answers to prompts; end in a delta.

The weights are those of the published GGUF file, unpacked: the installed model keeps them bit by bit and adds
the changes beside them (`store/delta.py`), so that nothing is rounded anew after training. The idea is that
of QLoRA (Dettmers et al., arXiv 2305.14314). The loss counts the answer's tokens alone, the end of the turn
among them; the prompt is read and not learnt.

Where only the last layers learn, what the layers below make of a row is always the same. It is computed once
and kept, so that an epoch costs what those last layers cost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from orchestrator.learning.curve import Trained
from orchestrator.learning.loop import Judged, Loop, Report, with_low_rank
from orchestrator.learning.recipes import Recipe
from orchestrator.store.blocks import Floats
from orchestrator.store.convert_decoder import Shape
from orchestrator.store.convert_gguf import GgufWeights, shape_of
from orchestrator.store.gguf import GgufFile

_MODULES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_NORMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
_OUTSIDE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_NOT_ASKED = -100  # the target that torch's cross entropy leaves out


class Turn(NamedTuple):
    """One example as tokens: what the model is shown, and what it should write, with the end of the turn."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


def train_generator(
    recipe: Recipe, gguf: Path, train: Sequence[Turn], dev: Sequence[Turn], work: Path, report: Report
) -> Trained:
    """`work` is where a checkpoint lies while this goes on."""
    return Tuner(recipe, gguf, train, dev, work).run(report)


class Tuner(Loop[Turn]):
    """Quality of an epoch: the share of development turns whose answer is the likeliest, token by token."""

    def __init__(
        self, recipe: Recipe, gguf: Path, train: Sequence[Turn], dev: Sequence[Turn], work: Path
    ) -> None:
        self._gguf, self._dev = gguf, dev
        self._below: Below | None = None
        super().__init__(recipe, train, work)

    def build(self) -> Any:
        import torch

        model = published_model(self._gguf)
        if self.recipe.bfloat16:
            model = model.to(torch.bfloat16)
        if self.recipe.layers:
            self._below = Below(model, self.recipe.layers)
        modules = [name.rpartition(".")[2] for name in _MODULES.values()]
        return with_low_rank(model, self.recipe, modules, self.recipe.dropout)

    def groups(self, model: Any) -> list[dict[str, Any]]:
        learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
        return [{"params": learnt, "peak": self.recipe.learning_rate}]

    def length(self, item: Turn) -> int:
        return len(item.prompt) + len(item.answer)

    def loss(self, items: Sequence[Turn]) -> Any:
        """Mean over the answers' tokens."""
        import torch

        scores, targets = self._scored(items)
        return torch.nn.functional.cross_entropy(scores, targets)

    def judge(self) -> Judged:
        import torch

        right, losses = 0, []
        with torch.no_grad():
            for item in self._dev:  # one at a time: of a whole batch the scores would fill the memory
                scores, targets = self._scored([item])
                right += bool((scores.argmax(dim=-1) == targets).all())
                losses.append(float(torch.nn.functional.cross_entropy(scores, targets)))
        return Judged(right / len(self._dev), float(np.mean(losses)))

    def trained(self) -> Trained:
        tensors = {name: value.numpy() for name, value in self.best.items()}
        first = self._below.layers if self._below else 0
        return Trained(delta_of_decoder(tensors, first), self.curve, self.best_epoch())

    def _scored(self, items: Sequence[Turn]) -> tuple[Any, Any]:
        """Scores and targets of the answers' tokens: (tokens, vocabulary) and (tokens,)."""
        import torch

        device = self.accelerator.device
        ids, mask, targets = (torch.from_numpy(table).to(device) for table in _tables(items))
        read = {"inputs_embeds": self._below.read(items, device)} if self._below else {"input_ids": ids}
        # Only what comes before an answer's token is asked for its score: most of a row is prompt.
        wanted = targets[:, 1:] != _NOT_ASKED
        inside = self.bare_model().base_model.model
        hidden = inside.model(**read, attention_mask=mask, use_cache=False).last_hidden_state[:, :-1]
        return inside.lm_head(hidden[wanted]).float(), targets[:, 1:][wanted]


class Below:
    """The layers that do not learn, taken out of a decoder, and what they made of each row so far.

    A row is read by itself: what comes of it does not depend on the batch that it was met in.
    """

    def __init__(self, model: Any, learning: int) -> None:
        import copy

        import torch

        inside, layers = model.model, model.model.layers
        self.layers = max(len(layers) - learning, 0)
        self._model = copy.copy(inside)
        self._model._modules = {
            **inside._modules,
            "layers": layers[: self.layers],
            "norm": torch.nn.Identity(),
        }
        inside.layers = layers[self.layers :]
        self._kept: dict[Turn, Any] = {}

    def read(self, items: Sequence[Turn], device: Any) -> Any:
        """(rows, longest, hidden), padded at the end with zeros."""
        import torch

        for item in items:
            if item not in self._kept:
                with torch.no_grad():
                    ids = torch.tensor([[*item.prompt, *item.answer]], device=device)
                    made = self._model.to(device)(input_ids=ids, use_cache=False)
                    self._kept[item] = made.last_hidden_state[0]
        return torch.nn.utils.rnn.pad_sequence([self._kept[item] for item in items], batch_first=True)


def published_model(gguf: Path) -> Any:
    """The decoder for torch, in float32, with the weights of the file."""
    import torch
    import transformers

    with GgufFile(gguf) as file:
        family, shape, weights = file.metadata["general.architecture"], shape_of(file), {}
        for name, tensor in file.tensors.items():
            values = GgufWeights(file, "float32").stacked([name])
            weights[published_name(name)] = torch.from_numpy(values.reshape(tensor.shape))
    kind = {"llama": "Llama", "qwen2": "Qwen2"}[family]
    wide = weights["model.layers.0.mlp.gate_proj.weight"].shape[0]
    tied = "lm_head.weight" not in weights
    config = getattr(transformers, f"{kind}Config")(**_config(shape, wide, tied))
    model = getattr(transformers, f"{kind}ForCausalLM")(config)
    if tied:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    model.load_state_dict(weights)
    return model


def published_name(name: str) -> str:
    """GGUF's name of a tensor -> that of transformers."""
    if name in _OUTSIDE:
        return _OUTSIDE[name]
    _, layer, module, kind = name.split(".")
    return f"model.layers.{layer}.{ {**_MODULES, **_NORMS}[module] }.{kind}"


def delta_of_decoder(learnt: dict[str, Any], first: int = 0) -> dict[str, Floats]:
    """peft's names -> those of a delta of a GGUF file. The changes' scale, 1 here, is in them already.

    `first`: the place in the file of the layer that peft counts as 0.
    """
    short = {module: name for name, module in _MODULES.items()}
    made = {}
    for name, value in learnt.items():
        found = re.search(r"layers\.(\d+)\.(\w+\.\w+)\.lora_([AB])\.", name)
        if found is None:
            raise ValueError(f"peft trained {name!r}, which is no low-rank change")
        layer, module, part = found.groups()
        name_there = f"blk.{first + int(layer)}.{short[module]}.weight"
        made[f"{name_there}:{'down' if part == 'A' else 'up'}"] = np.asarray(value, dtype=np.float32)
    return made


def _config(shape: Shape, wide: int, tied: bool) -> dict[str, Any]:
    return {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": wide,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_size,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "tie_word_embeddings": tied,
    }


def _tables(items: Sequence[Turn]) -> tuple[Any, Any, Any]:
    """ids, mask and targets, padded at the end to the longest. Prompt and padding have no targets."""
    longest = max(len(item.prompt) + len(item.answer) for item in items)
    ids, mask = np.zeros((2, len(items), longest), dtype=np.int64)
    targets = np.full((len(items), longest), _NOT_ASKED, dtype=np.int64)
    for place, item in enumerate(items):
        begin, end = len(item.prompt), len(item.prompt) + len(item.answer)
        ids[place, :end] = [*item.prompt, *item.answer]
        mask[place, :end] = 1
        targets[place, begin:end] = item.answer
    return ids, mask, targets
