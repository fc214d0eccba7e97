"""The tokenizer that a GGUF file describes, as the files that onnxruntime-genai and transformers read.

GGUF keeps the vocabulary, the merges and the chat template, and a *name* for how text is cut before merging.
Only byte-level vocabularies are written here ("gpt2" in GGUF's terms): llama 3, qwen, smollm and their kin.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.errors import StoreError

_CONTROL, _USER_DEFINED = 3, 4

# How each named pre-tokenizer cuts text, from llama.cpp's table; None: the cut of GPT-2.
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CUTS: dict[str, str | None] = {
    "default": None,
    "gpt-2": None,
    "smollm": None,  # it also cuts digits apart, but has no token of two digits: the same result
    "qwen2": _WORDS + r"\p{N}" + _REST,
    "llama-bpe": _WORDS + r"\p{N}{1,3}" + _REST,
}
_CLASSES = {"qwen2": "Qwen2Tokenizer"}
_SPECIAL = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}


def write_tokenizer(meta: Mapping[str, Any], folder: Path, context: int) -> None:
    """tokenizer.json, tokenizer_config.json and chat_template.jinja."""
    _tokenizer(meta).save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": _CLASSES.get(meta["general.architecture"], "TokenizersBackend"),
        "model_max_length": context,
        "add_bos_token": bool(meta.get("tokenizer.ggml.add_bos_token", False)),
        **{name: token for name, key in _SPECIAL.items() if (token := special_token(meta, key))},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    if template := meta.get("tokenizer.chat_template"):
        (folder / "chat_template.jinja").write_text(template, "utf-8")


def special_token_id(meta: Mapping[str, Any], key: str) -> int | None:
    found = meta.get(f"tokenizer.ggml.{key}_token_id")
    return None if found is None else int(found)


def special_token(meta: Mapping[str, Any], key: str) -> str | None:
    index = special_token_id(meta, key)
    return None if index is None else str(meta["tokenizer.ggml.tokens"][index])


def _tokenizer(meta: Mapping[str, Any]) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

    kind = meta.get("tokenizer.ggml.model")
    if kind != "gpt2":
        raise StoreError(
            f"A vocabulary of kind {kind!r} cannot be converted; only byte-level ones ('gpt2') can.",
            hint="Use a safetensors source with the recipe hf-to-genai instead.",
        )
    tokens: list[str] = meta["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in meta["tokenizer.ggml.merges"]]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, fuse_unk=False))
    if meta["general.architecture"] == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = _pre_tokenizer(meta.get("tokenizer.ggml.pre", "default"))
    tokenizer.decoder = decoders.ByteLevel()
    for token, token_type in zip(tokens, meta["tokenizer.ggml.token_type"], strict=True):
        if token_type == _CONTROL:
            tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True)])
        elif token_type == _USER_DEFINED:
            tokenizer.add_tokens([AddedToken(token, normalized=False, special=False)])
    return tokenizer


def _pre_tokenizer(name: str) -> Any:
    from tokenizers import Regex, pre_tokenizers

    if name not in _CUTS:
        raise StoreError(
            f"The pre-tokenizer {name!r} is not known here; known: {', '.join(_CUTS)}.",
            hint="Use a safetensors source with the recipe hf-to-genai instead.",
        )
    cut = _CUTS[name]
    if cut is None:
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    split = pre_tokenizers.Split(Regex(cut), behavior="isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
