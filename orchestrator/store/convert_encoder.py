"""A BERT-like encoder in safetensors -> model.onnx, in float32 or with int8 weights and activations.

The graph ends at `last_hidden_state` (batch, tokens, dimensions); mean pooling and normalising belong to
the runtime, which knows the attention mask anyway. The quantised graph is `convert_int8.py`'s work.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import StoreError
from orchestrator.store.convert_int8 import quantise

if TYPE_CHECKING:
    from orchestrator.store.convert import Say
    from orchestrator.store.converting import Request

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_OUTPUT = "last_hidden_state"
_KEPT = ("config.json", "tokenizer.json")


def run(request: Request, say: Say) -> None:
    if request.precision not in ("float32", "int8"):
        raise StoreError(
            f"encoder-to-onnx has no precision {request.precision!r}; it knows float32 and int8.",
            hint="Correct `precision` in the card's conversion.",
        )
    say("exporting", 0, 2)
    target = request.output / "model.onnx"
    exported = target if request.precision == "float32" else request.work / "model.onnx"
    _export(request.source, exported)
    if request.precision == "int8":
        say("quantising", 1, 2)
        quantise(exported, request.source / "tokenizer.json", target, request.work)
    for name in _KEPT:
        shutil.copyfile(request.source / name, request.output / name)


def _export(source: Path, target: Path) -> None:
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(str(source), attn_implementation="eager", dtype=torch.float32)
    ones = torch.ones((2, 8), dtype=torch.int64)
    # The older exporter: it needs a third of the time of the newer one for this architecture, and the
    # graphs compute the same (tests/store/test_real_models.py compares with torch).
    torch.onnx.export(
        _encoder(model),
        (ones, ones, torch.zeros_like(ones)),
        str(target),
        input_names=list(_INPUTS),
        output_names=[_OUTPUT],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in (*_INPUTS, _OUTPUT)},
        opset_version=17,
        dynamo=False,
    )


def _encoder(model: Any) -> Any:
    """The model without its pooler: three named inputs, one output."""
    import torch

    class Encoder(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
            return self.model(**inputs, token_type_ids=token_type_ids).last_hidden_state

    return Encoder().eval()
