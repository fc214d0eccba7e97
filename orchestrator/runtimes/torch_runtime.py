"""Models as published, by torch and transformers: for a GPU, where no ONNX export exists, as a cross-check.

A folder of Hugging Face files (safetensors, or GGUF named by the card's option `gguf_file`). Weights are
placed by accelerate's `device_map`; code that comes with a model is never run, and no hub is contacted.
Decoding is the loop of `decoding.py`, the same as for ONNX. Each call reads its whole prompt: kernels here
give other last bits when a prompt is split elsewhere, and an answer must not depend on what was asked before.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

import numpy as np

from orchestrator.errors import InvalidInput, ModelError, StoreError
from orchestrator.runtimes.base import Embeddings, LoadOptions, Session
from orchestrator.runtimes.decoding import Scores, Stepper
from orchestrator.runtimes.generation import NativeGenerator
from orchestrator.runtimes.guidance import Constraint, Guide
from orchestrator.runtimes.native import choose_device, need_file
from orchestrator.runtimes.pooling import buckets, mean_pooled, padded
from orchestrator.runtimes.text import ControlTokens
from orchestrator.runtimes.worker import Stopped, Worker
from orchestrator.types import GenerateRequest, ModelCard

_DEFAULT_MAX_TOKENS = 256
_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TQDM_DISABLE": "1",  # unpacking GGUF draws a bar that no setting of transformers hides
    # Threads that wait by spinning made torch six times slower on two busy cores (26 against 4 s).
    "OMP_WAIT_POLICY": "passive",
}
_PADDED_TOKENS = 4096


def load(card: ModelCard, options: LoadOptions) -> Session:
    """Load the model; blocking. An embedder where the card embeds, else a generator."""
    need_file(card, options.folder, str(card.options.get("gguf_file", "config.json")))
    torch, transformers = import_torch()
    device = choose_device(
        options.device,
        cuda_found=torch.cuda.is_available(),
        library="torch",
        mend="Install a build of torch with CUDA",
    )
    torch.set_num_threads(options.threads)
    embeds = "embed" in card.capabilities
    kind = transformers.AutoModel if embeds else transformers.AutoModelForCausalLM
    try:
        model = kind.from_pretrained(str(options.folder), **_placement(card, device))
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(options.folder), **_source(card))
    except Exception as error:
        raise StoreError(
            f"Model {card.name!r} in {options.folder} cannot be loaded: {error}.",
            hint=f"Type `lilliput models rm {card.name}` and pull it again.",
        ) from error
    model.eval()
    session = TorchEmbedder if embeds else TorchGenerator
    return session(card, model, tokenizer)


def import_torch() -> tuple[Any, Any]:
    """torch and transformers, quiet, offline, and with threads that sleep while they wait."""
    os.environ.update(_ENVIRONMENT)
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    return torch, transformers


def _source(card: ModelCard) -> dict[str, Any]:
    source: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if gguf_file := card.options.get("gguf_file"):
        source["gguf_file"] = str(gguf_file)
    return source


def _placement(card: ModelCard, device: str) -> dict[str, Any]:
    import torch

    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    return {
        **_source(card),
        "dtype": dtypes.get(card.precision, "auto"),
        "device_map": "auto" if device == "cuda" else {"": "cpu"},
    }


class TorchGenerator(NativeGenerator):
    """One loaded causal language model."""

    def __init__(self, card: ModelCard, model: Any, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer
        config = model.config
        context = int(getattr(config, "max_position_embeddings", 0) or card.context_tokens or 2048)
        ends = _end_tokens(model, tokenizer)
        super().__init__(card, context_tokens=min(card.context_tokens or context, context), end_tokens=ends)
        self.resident_bytes = _weight_bytes(model)
        self._control = ControlTokens(tokenizer.all_special_tokens)
        self._guide: Guide | None = None

    def _prompt(self, request: GenerateRequest) -> list[int]:
        try:
            prompt = self._tokenizer.apply_chat_template(
                self._control.defuse(request.messages), add_generation_prompt=True, tokenize=False
            )
        except Exception as error:
            raise ModelError(f"The chat template of {self.card.name!r} refused: {error}") from error
        return list(self._tokenizer(prompt, add_special_tokens=False)["input_ids"])

    def _written(self, text: str) -> list[int]:
        end = int(self._tokenizer.eos_token_id)
        return [*self._tokenizer(text, add_special_tokens=False)["input_ids"], end]

    def _decoder(self) -> Callable[[int], str]:
        from tokenizers.decoders import DecodeStream

        stream = DecodeStream(skip_special_tokens=True)
        backend = self._tokenizer.backend_tokenizer
        return lambda token: stream.step(backend, token) or ""

    def _constraint(self, request: GenerateRequest) -> Constraint | None:
        if request.json_schema is None:
            return None
        if "json-schema" not in self.card.capabilities:
            raise InvalidInput(
                f"The card of {self.card.name!r} does not offer constrained decoding.",
                hint="Add `json-schema` to its capabilities.",
            )
        if self._guide is None:
            rows = int(self._model.get_output_embeddings().weight.shape[0])
            self._guide = Guide(self._tokenizer.backend_tokenizer.to_str(), rows, self._end_tokens)
        return self._guide.constraint(request.json_schema)

    def _open(self, prompt: Sequence[int], max_tokens: int, salt: str) -> tuple[Stepper, int]:
        return _Cache(self._model), 0

    def _ended(self, stepper: Stepper, *, sound: bool) -> None:
        """Each call has a cache of its own."""

    def _free(self) -> None:
        self._guide = None
        del self._model


class _Cache:
    """The model and what it has read in one call."""

    def __init__(self, model: Any) -> None:
        from transformers import DynamicCache

        self._model = model
        self._past = DynamicCache(config=model.config)

    def feed(self, tokens: Sequence[int], rows: int) -> Scores:
        import torch

        ids = torch.tensor([list(tokens)], device=self._model.device)
        with torch.inference_mode():
            out = self._model(
                input_ids=ids, past_key_values=self._past, use_cache=True, logits_to_keep=max(1, rows)
            )
        scores: Scores = out.logits[0, -rows:].float().cpu().numpy()
        return scores


class TorchEmbedder:
    """One loaded encoder."""

    def __init__(self, card: ModelCard, model: Any, tokenizer: Any) -> None:
        self.card = card
        self.resident_bytes = _weight_bytes(model)
        self._model = model
        self._tokenizer = tokenizer
        self._max_tokens = int(card.options.get("max_tokens", _DEFAULT_MAX_TOKENS))
        self._worker = Worker(card.name)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        if self._model is None:
            raise ModelError(f"The session of model {self.card.name!r} is closed.")
        return await self._worker.run(lambda stop: self._embed(list(texts), stop))

    def close(self) -> None:
        self._worker.close()
        self._model = None

    def _embed(self, texts: list[str], stop: Event) -> Embeddings:
        started = time.perf_counter()
        cut = {"truncation": True, "max_length": self._max_tokens}
        rows = self._tokenizer(texts, **cut)["input_ids"] if texts else []
        vectors = np.zeros((len(texts), int(self._model.config.hidden_size)), dtype=np.float32)
        for batch in buckets([len(row) for row in rows], _PADDED_TOKENS):
            if stop.is_set():
                raise Stopped
            vectors[batch] = self._run([rows[index] for index in batch])
        tokens = sum(len(row) for row in rows)
        return Embeddings(vectors=vectors, prompt_tokens=tokens, duration_s=time.perf_counter() - started)

    def _run(self, rows: list[list[int]]) -> Any:
        import torch

        ids, mask = padded(rows)
        device = self._model.device
        with torch.inference_mode():
            out = self._model(
                input_ids=torch.from_numpy(ids).to(device), attention_mask=torch.from_numpy(mask).to(device)
            )
        return mean_pooled(out.last_hidden_state.float().cpu().numpy(), mask)


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """What the generation config calls the end (one id or several), and what the tokenizer does."""
    declared = model.generation_config.eos_token_id
    several = declared if isinstance(declared, list) else [declared]
    return frozenset(int(token) for token in [*several, tokenizer.eos_token_id] if token is not None)


def _weight_bytes(model: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in model.parameters())
