"""A random encoder of two layers with a vocabulary of a few words, as a folder that training starts from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
}


def tiny_base(folder: Path, words: Sequence[str], kind: str = "bert") -> Path:
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import BertConfig, BertModel, MPNetConfig, MPNetModel

    torch.manual_seed(0)
    vocabulary = {"[UNK]": 0, **{word: place for place, word in enumerate(words, start=1)}}
    if kind == "bert":
        model = BertModel(BertConfig(vocab_size=len(vocabulary), **SIZES), add_pooling_layer=False)
    else:
        model = MPNetModel(MPNetConfig(vocab_size=len(vocabulary), **SIZES), add_pooling_layer=False)
    model.save_pretrained(str(folder))
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
