"""Cards, requests and a tokenizer of 257 tokens, for tests that need no weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestrator.types import GenerateRequest, Message, ModelCard, ModelFile

FILE = ModelFile(name="weights", parts=("file:weights",), sha256="0" * 64, size_bytes=1)
END = 256
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def card(name: str = "fake", runtime: str = "scripted", **fields: Any) -> ModelCard:
    given = {
        "description": "A model for tests.",
        "licence": "none",
        "origin": "made here",
        "capabilities": {"generate"},
        "files": () if runtime in ("scripted", "remote") else (FILE,),
        **fields,
    }
    return ModelCard.model_validate({"name": name, "runtime": runtime, **given})


def ask(text: str = "Hello.", system: str | None = None, **fields: Any) -> GenerateRequest:
    messages = [Message(role="system", content=system)] if system else []
    return GenerateRequest(messages=(*messages, Message(role="user", content=text)), **fields)


def byte_tokenizer(folder: Path) -> str:
    """A tokenizer.json with one token for each byte and one that ends; token n is byte n."""
    vocabulary = {_letter(byte): byte for byte in range(256)}
    file = folder / "tokenizer.json"
    data = {
        "version": "1.0",
        "added_tokens": [_special(END, "<|end|>")],
        "pre_tokenizer": _BYTE_LEVEL,
        "decoder": _BYTE_LEVEL,
        "model": {"type": "BPE", "vocab": {**vocabulary, "<|end|>": END}, "merges": []},
    }
    file.write_text(json.dumps(data), "utf-8")
    return str(file)


def _special(number: int, content: str) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": content, **flags}


def _letter(byte: int) -> str:
    """The printable character that byte-level BPE writes for a byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    if byte in printable:
        return chr(byte)
    return chr(256 + [other for other in range(256) if other not in printable].index(byte))
