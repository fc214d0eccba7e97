"""A delta: what training changed of an encoder, and the head that it added, as one small safetensors file.

    W:down (rank, inputs), W:up (outputs, rank)    the weight W becomes W + up @ down
    v:add                                          the vector v becomes v + add
    head.weight (labels, hidden), head.bias        the new last layer

The file's metadata holds the head's description as JSON under `head`. Deltas are at most 5 MB, so that they
may live in git beside their recipe: the base comes from its own card.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from orchestrator.errors import IntegrityError
from orchestrator.store.blocks import Floats
from orchestrator.store.safetensors import read_metadata, read_safetensors
from orchestrator.types import Head, Record

DELTA = "delta.safetensors"
LARGEST_BYTES = 5_000_000


class Delta(Record):
    """The tensors by name, in float32, and the head that they are for."""

    model_config = {"arbitrary_types_allowed": True, "frozen": True, "extra": "forbid"}

    tensors: dict[str, Floats]
    head: Head

    def applied(self, weights: Mapping[str, Floats]) -> dict[str, Floats]:
        """The base with its changes and the head. Raises IntegrityError for what does not fit the base."""
        changed = {name: value for name, value in self.tensors.items() if name.startswith("head.")}
        for name in sorted(self._changed()):
            if name not in weights:
                raise IntegrityError(f"The delta changes {name!r}, which its base does not have.")
            changed[name] = self._change(name, weights[name])
        return {**weights, **changed}

    def _changed(self) -> set[str]:
        return {name.rpartition(":")[0] for name in self.tensors if ":" in name}

    def _change(self, name: str, weight: Floats) -> Floats:
        tensors = self.tensors
        if (added := tensors.get(f"{name}:add")) is None:
            try:
                added = tensors[f"{name}:up"] @ tensors[f"{name}:down"]
            except (KeyError, ValueError) as error:
                raise IntegrityError(f"The delta's parts of {name!r} do not fit together: {error}.") from None
        if added.shape != weight.shape:
            raise IntegrityError(f"The delta's {name!r} is {added.shape}, its base's {weight.shape}.")
        return np.asarray(weight + added, dtype=np.float32)


def read_delta(path: Path) -> Delta:
    """Raises IntegrityError for a file that is no delta."""
    try:
        head = Head.model_validate_json(read_metadata(path)["head"])
    except (KeyError, ValidationError) as error:
        raise IntegrityError(f"{path.name} does not say what its head is: {error}") from None
    tensors = read_safetensors(path)
    weight, bias = tensors.get("head.weight"), tensors.get("head.bias")
    if weight is None or bias is None or weight.shape[0] != head.width or bias.shape != (head.width,):
        raise IntegrityError(f"{path.name} has no head for its {head.width} labels.")
    return Delta(tensors=tensors, head=head)
