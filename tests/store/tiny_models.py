"""Tiny models with random weights: a GGUF file and the transformers model that it must agree with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from gguf.quants import dequantize, quantize
from numpy.typing import NDArray

Floats = NDArray[np.float32]

TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
SPECIAL = ["<|end|>", "<|im_start|>", "<|im_end|>", "<tool_call>"]
MERGES = ["h e", "l l", "he ll", "hell o"]


def byte_alphabet() -> list[str]:
    """The 256 characters in which byte-level vocabularies spell bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spelling = {byte: chr(byte) for byte in plain}
    others = [byte for byte in range(256) if byte not in spelling]
    spelling.update({byte: chr(256 + index) for index, byte in enumerate(others)})
    return [spelling[byte] for byte in range(256)]


@dataclass
class TinyDecoder:
    """Weights in the published order, rounded to what the GGUF file can hold."""

    family: str = "llama"
    block_type: str = "Q8_0"
    tied: bool = True
    hidden: int = 64
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    wide: int = 96
    context: int = 128
    tokens: list[str] = field(init=False)
    weights: dict[str, Floats] = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = [*byte_alphabet(), *(merge.replace(" ", "") for merge in MERGES), *SPECIAL]
        random = np.random.default_rng(3)
        self.weights = {name: self._random(random, name, shape) for name, shape in self._shapes().items()}

    @property
    def kind(self) -> GGMLQuantizationType:
        return GGMLQuantizationType[self.block_type]

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        head = self.hidden // self.heads
        shapes: dict[str, tuple[int, ...]] = {
            "token_embd.weight": (len(self.tokens), self.hidden),
            "output_norm.weight": (self.hidden,),
        }
        if not self.tied:
            shapes["output.weight"] = (len(self.tokens), self.hidden)
        for layer in range(self.layers):
            at = f"blk.{layer}"
            shapes |= {f"{at}.attn_norm.weight": (self.hidden,), f"{at}.ffn_norm.weight": (self.hidden,)}
            rows = {"q": self.hidden, "k": self.kv_heads * head, "v": self.kv_heads * head}
            for which, count in rows.items():
                shapes[f"{at}.attn_{which}.weight"] = (count, self.hidden)
                if self.family == "qwen2":
                    shapes[f"{at}.attn_{which}.bias"] = (count,)
            shapes |= {
                f"{at}.attn_output.weight": (self.hidden, self.hidden),
                f"{at}.ffn_gate.weight": (self.wide, self.hidden),
                f"{at}.ffn_up.weight": (self.wide, self.hidden),
                f"{at}.ffn_down.weight": (self.hidden, self.wide),
            }
        return shapes

    def _random(self, random: np.random.Generator, name: str, shape: tuple[int, ...]) -> Floats:
        if len(shape) == 1:
            return (random.normal(1, 0.1, shape) * (0.3 if "bias" in name else 1)).astype(np.float32)
        drawn = random.normal(0, 0.1, shape).astype(np.float32)
        rounded: Floats = dequantize(quantize(drawn, self.kind), self.kind)
        return rounded

    # --- as GGUF ------------------------------------------------------------------------------------------

    def write_gguf(self, path: Path) -> Path:
        writer = GGUFWriter(str(path), self.family)
        writer.add_name("tiny")
        writer.add_context_length(self.context)
        writer.add_embedding_length(self.hidden)
        writer.add_block_count(self.layers)
        writer.add_feed_forward_length(self.wide)
        writer.add_head_count(self.heads)
        writer.add_head_count_kv(self.kv_heads)
        writer.add_rope_freq_base(5000.0)
        writer.add_layer_norm_rms_eps(1e-5)
        self._write_vocabulary(writer)
        for name, values in self.weights.items():
            self._write_tensor(writer, name, values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    def _write_vocabulary(self, writer: GGUFWriter) -> None:
        types = [TokenType.NORMAL] * len(self.tokens)
        types[-len(SPECIAL) :] = [TokenType.CONTROL] * 3 + [TokenType.USER_DEFINED]
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("qwen2" if self.family == "qwen2" else "smollm")
        writer.add_token_list(self.tokens)
        writer.add_token_types(types)
        writer.add_token_merges(MERGES)
        writer.add_bos_token_id(self.tokens.index("<|im_start|>"))
        writer.add_eos_token_id(self.tokens.index("<|im_end|>"))
        writer.add_chat_template(TEMPLATE)

    def _write_tensor(self, writer: GGUFWriter, name: str, values: Floats) -> None:
        if values.ndim == 1:
            writer.add_tensor(name, values)
            return
        if self.family == "llama" and (".attn_q." in name or ".attn_k." in name):
            heads = self.heads if ".attn_q." in name else self.kv_heads
            # What llama.cpp's own converter does to query and key.
            values = values.reshape(heads, 2, -1, self.hidden).swapaxes(1, 2).reshape(values.shape)
        writer.add_tensor(name, quantize(np.ascontiguousarray(values), self.kind), raw_dtype=self.kind)

    # --- as transformers ----------------------------------------------------------------------------------

    def logits(self, ids: NDArray[np.int64]) -> Floats:
        import torch

        model = self._by_transformers()
        with torch.no_grad():
            found: Floats = model(torch.from_numpy(ids)).logits.numpy()
        return found

    def _by_transformers(self) -> Any:
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

        config_type, model_type = {
            "llama": (LlamaConfig, LlamaForCausalLM),
            "qwen2": (Qwen2Config, Qwen2ForCausalLM),
        }[self.family]
        config = config_type(
            vocab_size=len(self.tokens),
            hidden_size=self.hidden,
            intermediate_size=self.wide,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            max_position_embeddings=self.context,
            rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
            tie_word_embeddings=self.tied,
        )
        model = model_type(config)
        state = {_published(name): torch.from_numpy(values) for name, values in self.weights.items()}
        if self.tied:
            state["lm_head.weight"] = state["model.embed_tokens.weight"]
        model.load_state_dict(state)
        return model.eval()


_PUBLISHED = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def _published(name: str) -> str:
    outside = {
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
        "output.weight": "lm_head.weight",
    }
    if name in outside:
        return outside[name]
    _, layer, module, kind = name.split(".")
    return f"model.layers.{layer}.{_PUBLISHED[module]}.{kind}"


def run_decoder(folder: Path, ids: NDArray[np.int64], kv_heads: int, head_size: int) -> Floats:
    """The logits of an installed model, by plain onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    for entry in session.get_inputs():
        if entry.name.startswith("past"):
            feed[entry.name] = np.zeros((len(ids), kv_heads, 0, head_size), dtype=np.float32)
    found: Floats = session.run(["logits"], feed)[0]
    return found
