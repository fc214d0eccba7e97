"""Generators in ONNX, by onnxruntime-genai: a folder with genai_config.json, model.onnx and tokenizer.json.

onnxruntime-genai is used as a KV cache that can be appended to and rewound (`append_tokens`, `get_logits`,
`rewind_to`); choosing tokens is done by `decoding.py`, grammars by `guidance.py`. It has no continuous
batching on CPU, so a session answers one call at a time.

The KV buffer has room for prompt + max_tokens, not for the whole context: 32,768 tokens of Qwen 0.5B would
take 800 MB and be touched for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.errors import InvalidInput, ModelError, StoreError
from orchestrator.runtimes.base import LoadOptions
from orchestrator.runtimes.decoding import CHUNK_TOKENS, Scores, Stepper
from orchestrator.runtimes.generation import NativeGenerator
from orchestrator.runtimes.guidance import Constraint, Guide
from orchestrator.runtimes.native import NO_SPINNING, choose_device, folder_bytes, import_genai, need_file
from orchestrator.runtimes.prefix import PrefixSlots
from orchestrator.runtimes.text import ControlTokens
from orchestrator.types import GenerateRequest, Json, ModelCard


def load(card: ModelCard, options: LoadOptions) -> GenaiSession:
    """Load the model; blocking. Raises StoreError for an unusable folder, UserError for a missing device."""
    genai = import_genai()
    config_file = need_file(card, options.folder, "genai_config.json")
    device = choose_device(
        options.device,
        cuda_found=genai.is_cuda_available(),
        library="onnxruntime-genai",
        mend="Install onnxruntime-genai-cuda",
    )
    config = genai.Config(str(options.folder))
    config.overlay(json.dumps(_session_options(options.threads)))
    config.clear_providers()
    if device != "cpu":
        config.append_provider(device)
    try:
        model = genai.Model(config)
    except Exception as error:
        raise StoreError(
            f"Model {card.name!r} in {options.folder} cannot be loaded: {error}.",
            hint=f"Type `lilliput models rm {card.name}` and pull it again.",
        ) from error
    return GenaiSession(card, options.folder, json.loads(config_file.read_text("utf-8")), model, device)


def _session_options(threads: int) -> Json:
    options = {"intra_op_num_threads": threads, **NO_SPINNING}
    return {"model": {"decoder": {"session_options": options}}}


class GenaiSession(NativeGenerator):
    """One loaded ONNX generator."""

    def __init__(self, card: ModelCard, folder: Path, config: Json, model: Any, device: str) -> None:
        self._genai = import_genai()
        self._model = model
        self._tokenizer = self._genai.Tokenizer(model)
        declared = config["model"]
        ends = frozenset(int(token) for token in self._tokenizer.eos_token_ids)
        context = min(card.context_tokens or declared["context_length"], declared["context_length"])
        super().__init__(card, context_tokens=context, end_tokens=ends)
        self._control = ControlTokens(_special_tokens(folder / "tokenizer.json"))
        self._guide: Guide | None = None
        if "json-schema" in card.capabilities:
            tokenizer_file = need_file(card, folder, "tokenizer.json")
            self._guide = Guide(str(tokenizer_file), declared["vocab_size"], ends)
        self._slots = PrefixSlots(
            self._new_cache, context_tokens=context, whole_pieces_of=1 if device == "cpu" else CHUNK_TOKENS
        )
        self._weights_bytes = folder_bytes(folder)
        self._bytes_per_token = _kv_bytes_per_token(declared["decoder"])

    @property
    def resident_bytes(self) -> int:
        """The files, which are mapped or copied whole, and the KV caches that are kept now."""
        return self._weights_bytes + self._slots.tokens_of_room * self._bytes_per_token

    def _prompt(self, request: GenerateRequest) -> list[int]:
        messages = json.dumps(self._control.defuse(request.messages))
        try:
            prompt = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        except Exception as error:
            raise ModelError(
                f"The chat template of {self.card.name!r} refused the messages: {error}"
            ) from error
        return [int(token) for token in self._tokenizer.encode(prompt)]

    def _written(self, text: str) -> list[int]:
        end = int(self._tokenizer.eos_token_ids[0])
        return [*(int(token) for token in self._tokenizer.encode(text)), end]

    def _decoder(self) -> Callable[[int], str]:
        decode: Callable[[int], str] = self._tokenizer.create_stream().decode
        return decode

    def _constraint(self, request: GenerateRequest) -> Constraint | None:
        if request.json_schema is None:
            return None
        if self._guide is None:
            raise InvalidInput(
                f"The card of {self.card.name!r} does not offer constrained decoding.",
                hint="Add `json-schema` to its capabilities.",
            )
        return self._guide.constraint(request.json_schema)

    def _open(self, prompt: Sequence[int], max_tokens: int, salt: str) -> tuple[Stepper, int]:
        return self._slots.take(prompt, len(prompt) + max_tokens, salt)

    def _ended(self, stepper: Stepper, *, sound: bool) -> None:
        assert isinstance(stepper, _Cache)
        if sound:
            self._slots.read(stepper, stepper.length)
        else:
            self._slots.drop(stepper)

    def _new_cache(self, capacity: int) -> _Cache:
        parameters = self._genai.GeneratorParams(self._model)
        parameters.set_search_options(max_length=capacity, do_sample=False)
        return _Cache(self._genai.Generator(self._model, parameters), self.card.name)

    def _free(self) -> None:
        self._slots.clear()
        self._guide = None
        del self._tokenizer, self._model


class _Cache:
    """A generator of onnxruntime-genai, used for its KV cache only; it never chooses a token."""

    def __init__(self, generator: Any, model: str) -> None:
        self._generator = generator
        self._model = model
        self.length = 0

    def rewind(self, length: int) -> None:
        if length < self.length:
            self._generator.rewind_to(length)
            self.length = length

    def feed(self, tokens: Sequence[int], rows: int) -> Scores:
        self._generator.append_tokens(np.asarray(tokens, dtype=np.int32))
        self.length += len(tokens)
        if rows == 0:
            return np.empty((0, 0), dtype=np.float32)
        last: Scores = self._generator.get_logits().reshape(1, -1)
        return last if rows == 1 else self._last_rows(rows)

    def _last_rows(self, rows: int) -> Scores:
        scores: Scores = self._generator.get_output("logits")[0]
        if len(scores) < rows:
            raise ModelError(
                f"Model {self._model!r} was exported with `prune_lm_head`: forced tokens have no scores.",
                hint="Convert it without that option, or ask for no log-probabilities.",
            )
        return scores[-rows:].astype(np.float32, copy=False)


def _special_tokens(tokenizer_file: Path) -> list[str]:
    if not tokenizer_file.is_file():
        return []
    added = json.loads(tokenizer_file.read_text("utf-8")).get("added_tokens", [])
    return [token["content"] for token in added if token.get("special")]


def _kv_bytes_per_token(decoder: Json) -> int:
    """Keys and values of all layers, float32 as the builder exports them for CPU."""
    return int(2 * 4 * decoder["num_hidden_layers"] * decoder["num_key_value_heads"] * decoder["head_size"])
