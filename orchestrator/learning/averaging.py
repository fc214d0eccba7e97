"""A running average of what learns, which is judged and kept in its place.

Steps around a minimum go to and fro; their mean lies nearer to it (Polyak and Juditsky, SIAM J. Control
Optim. 30(4), 1992). After each step the average moves by the share 1 - decay towards what was learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Average:
    """Of the parameters that `learning` names: torch tensors by name, the model's own."""

    def __init__(self, learning: Callable[[], Mapping[str, Any]], decay: float) -> None:
        self._learning, self._decay = learning, decay
        self.values: dict[str, Any] = _copied(learning())

    def follow(self) -> None:
        """After a step."""
        for name, value in self._learning().items():
            self.values[name].lerp_(value.detach(), 1 - self._decay)

    def restore(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            self.values[name].copy_(value)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Meanwhile the model has the average; afterwards what it had."""
        own = _copied(self._learning())
        self._set(self.values)
        try:
            yield
        finally:
            self._set(own)

    def _set(self, values: Mapping[str, Any]) -> None:
        for name, value in self._learning().items():
            value.data.copy_(values[name])


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in values.items()}
