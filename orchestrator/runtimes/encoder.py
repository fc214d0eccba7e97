"""Sentence encoders in ONNX, run by onnxruntime: a folder with model.onnx and tokenizer.json.

Texts are cut at 256 tokens (what all-MiniLM was trained for) unless the card's options say `max_tokens`.

int8 models run one text at a time. Dynamic quantisation takes one scale for a whole activation tensor, so in
a batch a text's vector depends on its neighbours and its padding: measured up to 0.034 in one component and
cosine 0.979 with itself. Alone it is always the same, and on CPU it is not slower either (7.7 against 12.4 ms
a text in batches of 16). float32 batches change nothing (measured: 0.0).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Event
from typing import Any

import numpy as np

from orchestrator.errors import ModelError, StoreError
from orchestrator.runtimes.base import Embeddings, LoadOptions
from orchestrator.runtimes.native import (
    NO_SPINNING,
    choose_device,
    folder_bytes,
    has_cuda,
    import_onnxruntime,
    need_file,
)
from orchestrator.runtimes.pooling import buckets, mean_pooled, padded
from orchestrator.runtimes.worker import Stopped, Worker
from orchestrator.types import HEAD_FILE, Head, ModelCard

DEFAULT_MAX_TOKENS = 256
_PADDED_TOKENS = 2048
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def load(card: ModelCard, options: LoadOptions) -> EncoderSession:
    """Load the model; blocking. Raises StoreError for an unusable folder, UserError for a missing device."""
    runtime = import_onnxruntime()
    from tokenizers import Tokenizer

    device = choose_device(
        options.device, cuda_found=has_cuda(), library="onnxruntime", mend="Install onnxruntime-gpu"
    )
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    for key, value in NO_SPINNING.items():
        settings.add_session_config_entry(key, value)
    model_file = need_file(card, options.folder, "model.onnx")
    try:
        session = runtime.InferenceSession(str(model_file), settings, providers=[_PROVIDERS[device]])
        tokenizer = Tokenizer.from_file(str(need_file(card, options.folder, "tokenizer.json")))
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(
            f"Model {card.name!r} in {options.folder} cannot be loaded: {error}.",
            hint=f"Type `lilliput models rm {card.name}` and pull it again.",
        ) from error
    parts = card, session, tokenizer, folder_bytes(options.folder)
    if (head_file := options.folder / HEAD_FILE).is_file():
        from orchestrator.runtimes.heads import with_head

        return with_head(*parts, Head.model_validate_json(head_file.read_bytes()))
    return EncoderSession(*parts)


class EncoderSession:
    """One loaded encoder."""

    def __init__(self, card: ModelCard, session: Any, tokenizer: Any, weights_bytes: int) -> None:
        self.card = card
        self.resident_bytes = weights_bytes
        self._session = session
        self._inputs = {node.name for node in session.get_inputs()}
        self._output = session.get_outputs()[0]  # last_hidden_state; a specialist's scores come after it
        self._tokenizer = tokenizer
        tokenizer.no_padding()  # tokenizer.json may ask to pad every text to 128
        tokenizer.enable_truncation(int(card.options.get("max_tokens", DEFAULT_MAX_TOKENS)))
        self._padded_tokens = 0 if card.precision == "int8" else _PADDED_TOKENS
        self._worker = Worker(card.name)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        if self._session is None:
            raise ModelError(f"The session of model {self.card.name!r} is closed.")
        return await self._worker.run(lambda stop: self._embed(list(texts), stop))

    def close(self) -> None:
        self._worker.close()
        self._session = None

    def _embed(self, texts: list[str], stop: Event) -> Embeddings:
        started = time.perf_counter()
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        lengths = [len(row) for row in rows]
        vectors = np.zeros((len(texts), self._dimensions()), dtype=np.float32)
        for batch in buckets(lengths, self._padded_tokens):
            if stop.is_set():
                raise Stopped
            vectors[batch] = self._run([rows[index] for index in batch])
        duration_s = time.perf_counter() - started
        return Embeddings(vectors=vectors, prompt_tokens=sum(lengths), duration_s=duration_s)

    def _run(self, rows: list[list[int]]) -> Any:
        ids, mask = padded(rows)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        wanted = {name: value for name, value in feed.items() if name in self._inputs}
        try:
            (hidden,) = self._session.run([self._output.name], wanted)
        except Exception as error:
            raise ModelError(f"Model {self.card.name!r} failed while embedding: {error}") from error
        return mean_pooled(hidden, mask)

    def _dimensions(self) -> int:
        return int(self._output.shape[-1])
