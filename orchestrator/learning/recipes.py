"""How a specialist is trained, as data: `models/recipes/<name>.yaml`.

The same recipe, data, base and seed give the same specialist on the same machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from orchestrator.errors import UnknownName, UserError
from orchestrator.store.files import hash_of
from orchestrator.types import Name, Record
from orchestrator.yamlfile import read_yaml

_ENCODERS_READ = 512
_LATER = ("layers", "line_break", "outside_by_dev", "average", "bfloat16")


class Recipe(Record):
    """`head`: a last layer on the base as it is. `encoder`: low-rank changes of all its layers, and a head.
    `generator`: low-rank changes of a model that writes.

    Rates are of AdamW, after a linear warm-up, along half a cosine. Training ends after `epochs`, or when the
    development rows have not come out better for `patience` epochs; the best epoch counts.

    Of a text an encoder reads the first `max_tokens`, in training and afterwards: no decision takes longer
    than that. A generator learns from prompts that are no longer than that with their answers.

    `layers`: a generator changes so many of its last layers; None: all. What the layers below make of a row
    is computed once.

    `kinds`: of what it is meant for (`Learns.kind`); empty: whatever its method can learn.
    `line_break`: the character that an encoder is shown for the end of a line; None: a line ends unseen.

    `none_at_most`: the share of development rows with a label that may be told that none fits, where the
    examples show texts that none fits; None: as the head learnt it.
    `average`: how much of the running average stays at each step; it is judged and kept in the place of what
    was learnt last. 0: there is none.
    `bfloat16`: whether the base is computed with in bfloat16, which halves the time of a large one; what
    learns stays in float32.
    `outside_by_dev`: whether a tagger's bias for words that belong to no part is set by the development rows.
    """

    name: Name
    description: str
    method: Literal["head", "encoder", "generator"]
    base: Name
    seed: int = 1
    max_tokens: int = Field(default=256, gt=8, le=2048)
    layers: int | None = Field(default=None, gt=0)
    epochs: int = Field(default=20, gt=0)
    patience: int = Field(default=4, gt=0)
    batch: int = Field(default=32, gt=0)
    rank: int = Field(default=32, gt=0)
    learning_rate: float = Field(default=1e-3, gt=0)
    head_learning_rate: float = Field(default=1e-2, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.1, ge=0, le=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    average: float = Field(default=0.0, ge=0, lt=1)
    none_at_most: float | None = Field(default=0.03, ge=0, lt=1)
    line_break: str | None = Field(default=None, min_length=1, max_length=1)
    outside_by_dev: bool = False
    bfloat16: bool = False
    kinds: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What stands for all that decides a training. Fields that came later count where they are used."""
        unused = {name for name in _LATER if not getattr(self, name)}
        return hash_of(self.model_dump(mode="json", exclude={"kinds", *unused}))

    def is_for(self, kind: str) -> bool:
        """Whether it is meant for this kind of answer."""
        return not self.kinds or kind in self.kinds

    def insist_on(self, kind: str) -> None:
        """Raises UserError where it is not meant for this kind of answer."""
        if not self.is_for(kind):
            raise UserError(
                f"Recipe {self.name!r} is for {' and '.join(self.kinds)}, not for {kind}.",
                hint="`lilliput learn choose NAME` says which recipe to take.",
            )

    @model_validator(mode="after")
    def _as_it_can_read(self) -> Self:
        if self.method != "generator" and self.max_tokens > _ENCODERS_READ:
            raise ValueError(f"an encoder reads at most {_ENCODERS_READ} tokens")
        if self.method != "encoder" and self.line_break:
            raise ValueError("only an encoder that is trained can be shown its lines")
        if self.method == "head" and self.bfloat16:
            raise ValueError("a head learns from embeddings of the installed base: there is nothing to round")
        if self.method == "head" and self.average:
            raise ValueError("a head is solved for, not learnt in steps: there is nothing to average")
        if self.method != "encoder" and self.outside_by_dev:
            raise ValueError("`outside_by_dev` is for an encoder that marks parts of a text")
        return self


def read_recipe(roots: Sequence[Path], name: str) -> Recipe:
    """The strongest workspace's. Raises UnknownName or ContentError."""
    found = _files(roots)
    if name not in found:
        raise UnknownName("recipe", name, found)
    yaml = read_yaml(found[name])
    recipe = yaml.validate(Recipe)
    if recipe.name != name:
        raise yaml.error(f"`name: {recipe.name}` must equal the name of its file, {name!r}", ("name",))
    return recipe


def all_recipes(roots: Sequence[Path], kind: str) -> list[Recipe]:
    """Those that are meant for this kind of answer, by name. Raises ContentError."""
    every = [read_recipe(roots, name) for name in sorted(_files(roots))]
    return [recipe for recipe in every if recipe.is_for(kind)]


def _files(roots: Sequence[Path]) -> dict[str, Path]:
    return {file.stem: file for root in roots for file in sorted(root.glob("models/recipes/*.yaml"))}
