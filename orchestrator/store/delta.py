"""A delta: what training changed of a model, and the head that it added to an encoder, as one small file.

    W:down (rank, inputs), W:up (outputs, rank)    the weight W becomes W + up @ down
    v:add                                          the vector v becomes v + add
    head.weight (labels, hidden), head.bias        the new last layer

It is a safetensors file whose metadata holds the head's description as JSON under `head`; a decoder's has
none, and names tensors as its GGUF file does. An encoder's changes are merged into its weights. A decoder's
weights are kept bit by bit, and its changes become two small products beside each large one, so that what was
learnt on these weights is what answers. Deltas are at most 5 MB, so that they may live in git beside their
recipe: the base comes from its own card.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
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
    """The tensors by name, in float32, and the head that they are for; None for a decoder."""

    model_config = {"arbitrary_types_allowed": True, "frozen": True, "extra": "forbid"}

    tensors: dict[str, Floats]
    head: Head | None

    def low_rank(self, name: str) -> tuple[Floats, Floats] | None:
        """(down, up) of a matrix; None where it is unchanged. Raises IntegrityError for half a change."""
        down, up = self.tensors.get(f"{name}:down"), self.tensors.get(f"{name}:up")
        if down is None and up is None:
            return None
        if down is None or up is None or down.shape[0] != up.shape[1]:
            raise IntegrityError(f"The delta's parts of {name!r} do not fit together.")
        return down, up

    def applied(self, weights: Mapping[str, Floats]) -> dict[str, Floats]:
        """The base with its changes and the head. Raises IntegrityError for what does not fit the base."""
        changed = {name: value for name, value in self.tensors.items() if name.startswith("head.")}
        self.insist_on(weights)
        for name in sorted(self.changed()):
            changed[name] = self._change(name, weights[name])
        return {**weights, **changed}

    def changed(self) -> set[str]:
        return {name.rpartition(":")[0] for name in self.tensors if ":" in name}

    def insist_on(self, base: Container[str]) -> None:
        """Raises IntegrityError where it changes what its base does not have."""
        for name in sorted(self.changed()):
            if name not in base:
                raise IntegrityError(f"The delta changes {name!r}, which its base does not have.")

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
    described, tensors = read_metadata(path).get("head"), read_safetensors(path)
    if described is None and not any(name.startswith("head.") for name in tensors):
        return Delta(tensors=tensors, head=None)
    try:
        head = Head.model_validate_json(described or "")
    except ValidationError as error:
        raise IntegrityError(f"{path.name} does not say what its head is: {error}") from None
    weight, bias = tensors.get("head.weight"), tensors.get("head.bias")
    if weight is None or bias is None or weight.shape[0] != head.width or bias.shape != (head.width,):
        raise IntegrityError(f"{path.name} has no head for its {head.width} labels.")
    return Delta(tensors=tensors, head=head)
