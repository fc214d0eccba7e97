"""S5 as a whole: examples + recipe -> a specialist on the shelf, not promoted.

Learns from the training rows, chooses by the development rows, and never opens the test rows: those are the
gate's. The same text is always in the same split, whatever its case and spacing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from orchestrator.agent import Agent, defining_hashes
from orchestrator.errors import UserError
from orchestrator.learning import shelf
from orchestrator.learning.curve import Epoch, Trained
from orchestrator.learning.encoder_training import train_encoder
from orchestrator.learning.examples import BARE, IDENTITY, Example
from orchestrator.learning.generator_training import train_generator
from orchestrator.learning.head_training import train_head
from orchestrator.learning.pair_training import Choice, train_pairs
from orchestrator.learning.pairs import pairs_of
from orchestrator.learning.project import OWN
from orchestrator.learning.recipes import Recipe
from orchestrator.learning.tasks import Task, settled, task_for
from orchestrator.learning.turns import turns_of
from orchestrator.records import utc_now
from orchestrator.runtimes.base import Embedder, LoadOptions
from orchestrator.runtimes.heads import LINE_BREAK, with_lines
from orchestrator.runtimes.registry import load_session
from orchestrator.settings import Settings
from orchestrator.store import ModelStore
from orchestrator.store.blocks import Floats
from orchestrator.store.delta import DELTA, LARGEST_BYTES
from orchestrator.store.files import hash_of, remove, sha256_of
from orchestrator.store.locks import locked
from orchestrator.store.staging import staged, sweep_stages
from orchestrator.types import Capability, Head, Json, Learns, ModelCard, ModelFile, Specialism

Report = Callable[[Epoch], None]
Splits = Mapping[str, Sequence[Example]]
_FEWEST = 20


class Fitted(NamedTuple):
    """What training made: the head of an encoder with its temperature, or None for a generator."""

    trained: Trained
    head: Head | None


class Purpose(NamedTuple):
    """For which agent (`code`), with which values of its defining inputs, under which name of a line."""

    line: str
    agent: str
    code: Agent
    learns: Learns
    fixed: Json
    licence: str = OWN


async def train(
    purpose: Purpose,
    recipe: Recipe,
    examples: Sequence[Example],
    *,
    store: ModelStore,
    settings: Settings,
    roots: Sequence[Path],
    work: Path,
    report: Report,
) -> ModelCard:
    """Train, and put the specialist on the shelf of the last of the roots. Raises UserError."""
    trained, head = await fit(purpose, recipe, splits(examples), store, settings, work, report)
    root = roots[-1]
    shelf_folder = root / shelf.FOLDER
    sweep_stages(shelf_folder)
    # On the shelf's own disk: a rename to another one is a copy, which a kill may cut in half.
    with staged(shelf_folder) as stage, locked(shelf_folder / "locks" / f"{purpose.line}.lock"):
        made = stage.make("specialist")
        _write_delta(made / DELTA, trained.tensors, head)
        name = shelf.next_name(roots, purpose.line)
        card = _card(name, purpose, recipe, store.cards[recipe.base], examples, made / DELTA)
        curve = [epoch.model_dump() for epoch in trained.curve]
        shelf.put(root, made, card, curve, _lineage(recipe, examples, store))
    remove(work)  # the next training begins anew
    return card


async def fit(
    purpose: Purpose,
    recipe: Recipe,
    split: Splits,
    store: ModelStore,
    settings: Settings,
    work: Path,
    report: Report,
) -> Fitted:
    """What the recipe makes of these rows; nothing is put anywhere. Raises UserError where it cannot."""
    recipe.insist_on(purpose.learns.kind)
    if recipe.method == "generator":
        return Fitted(await _train_generator(purpose, recipe, split, store, settings, work, report), None)
    if purpose.learns.kind == "choice":
        own = _own(work, purpose, recipe, split, store)
        return await _train_pairs(purpose, recipe, split, store, own, report)
    every = [example for found in split.values() for example in found]
    _insist_on_two(split["train"])
    task = task_for(purpose.learns, purpose.fixed, every)
    if recipe.method == "head":
        trained = await _train_head(recipe, task, split, store, settings, report)
    else:
        # A head that fits the base as it is comes first: with a random one the first steps would spoil what
        # the base knows (Kumar et al., "Fine-Tuning can Distort Pretrained Features", arXiv 2202.10054).
        begin: Mapping[str, Floats] = {}
        if task.head.kind == "classify":
            begin = (await _train_head(recipe, task, split, store, settings, lambda epoch: None)).tensors
        own = _own(work, purpose, recipe, split, store)
        trained = _train_encoder(recipe, task, split, store, own, report, begin)
    return Fitted(trained, task.head.model_copy(update={"temperature": trained.temperature}))


def _insist_on_two(examples: Sequence[Example]) -> None:
    """Raises UserError where every row has the same answer."""
    first = examples[0].answer
    if all(example.answer == first for example in examples):
        raise UserError(
            f"All {len(examples)} rows to learn from have one answer: {str(first)[:60]!r}.",
            hint="There is nothing to tell apart: collect rows with another answer too.",
        )


def data_hash(examples: Sequence[Example]) -> str:
    """Of texts, answers and splits; in whatever order they come."""
    return hash_of(sorted([e.bare_key, e.split, json.dumps(e.answer, sort_keys=True)] for e in examples))


def splits(examples: Sequence[Example]) -> Splits:
    """The rows to learn from and to choose by. Raises UserError where there are too few."""
    split = {name: [e for e in examples if e.split == name] for name in ("train", "dev")}
    for name, found in split.items():
        if len(found) < _FEWEST:
            raise UserError(
                f"{len(found)} examples are for {name}, and {_FEWEST} are needed.",
                hint="Collect more: of 100 texts 60 are to learn from, 15 to choose by, 25 to judge by.",
            )
    return split


async def embedded(
    texts: Sequence[str], model: str, store: ModelStore, settings: Settings, max_tokens: int | None = None
) -> Floats:
    """Unit vectors by an installed encoder, shape (texts, dimensions); of their first `max_tokens`."""
    card = store.cards[model]
    if max_tokens:
        card = card.model_copy(update={"options": {**card.options, "max_tokens": max_tokens}})
    session = load_session(card, LoadOptions(folder=store.folder(model), threads=settings.threads))
    if not isinstance(session, Embedder):
        raise UserError(f"{model} does not embed.", hint="Name an encoder: lilliput models list")
    try:
        return (await session.embed(texts)).vectors
    finally:
        session.close()


async def _train_head(
    recipe: Recipe,
    task: Task,
    split: Splits,
    store: ModelStore,
    settings: Settings,
    report: Report,
) -> Trained:
    """On the embeddings of the base as it is installed, which are those that the specialist will see."""
    if task.head.kind != "classify":
        raise UserError(f"Recipe {recipe.name!r} trains a head for labels; take one with `method: encoder`.")
    store.sources(recipe.base)  # what the specialist's own installation takes from then on
    rows = {name: [task.row(e, None) for e in found] for name, found in split.items()}
    vectors = {
        name: await embedded([e.text for e in found], recipe.base, store, settings, recipe.max_tokens)
        for name, found in split.items()
    }
    learn, judge = ((vectors[name], np.array([row.target for row in rows[name]])) for name in split)
    trained = train_head(recipe, len(task.head.labels), learn, judge)
    for epoch in trained.curve:
        report(epoch)
    scores = vectors["dev"] @ trained.tensors["head.weight"].T + trained.tensors["head.bias"]
    return settled(task, trained, recipe, list(scores), rows["dev"])


def _train_encoder(
    recipe: Recipe,
    task: Task,
    split: Splits,
    store: ModelStore,
    work: Path,
    report: Report,
    begin: Mapping[str, Floats],
) -> Trained:
    base = store.sources(recipe.base)
    encode = _encoder_of(recipe, base)
    rows = [[task.row(e, encode(e.text)) for e in found] for found in split.values()]
    return train_encoder(recipe, task, base, rows[0], rows[1], work, report, begin)


async def _train_pairs(
    purpose: Purpose, recipe: Recipe, split: Splits, store: ModelStore, work: Path, report: Report
) -> Fitted:
    if recipe.method != "encoder":
        raise UserError(
            f"Recipe {recipe.name!r} trains no choices.",
            hint="Take one with `method: encoder`: encoder-pairs.",
        )
    base, card = store.sources(recipe.base), store.cards[recipe.base]
    encode = _encoder_of(recipe, base)
    rows: dict[str, list[Choice]] = {name: [] for name in split}
    for name, found in split.items():
        for example in found:
            asked = await pairs_of(purpose.code, purpose.learns, purpose.fixed, example, card)
            candidates = tuple(encode(pair.candidate) for pair in asked)
            rows[name].append(Choice(encode(asked[0].text), candidates, tuple(pair.right for pair in asked)))
    trained = train_pairs(recipe, base, rows["train"], rows["dev"], work, report)
    return Fitted(trained, Head(kind="score-pairs", temperature=trained.temperature))


def _encoder_of(recipe: Recipe, base: Path) -> Callable[[str], Any]:
    """A text as tokens, as the specialist will be shown it."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(recipe.max_tokens)
    return lambda text: tokenizer.encode(with_lines(text, recipe.line_break or "\n"))


async def _train_generator(
    purpose: Purpose,
    recipe: Recipe,
    split: Splits,
    store: ModelStore,
    settings: Settings,
    work: Path,
    report: Report,
) -> Trained:
    if purpose.learns.kind != "json":
        raise UserError(
            f"Recipe {recipe.name!r} trains a generator, and agent {purpose.agent} writes no JSON.",
            hint="Take a recipe with `method: encoder`, whose specialist answers a hundred times faster.",
        )
    turns = partial(turns_of, purpose.code, purpose.learns, purpose.fixed, store=store, settings=settings)
    learn, judge = [await turns(found, recipe.base, recipe.max_tokens) for found in split.values()]
    (gguf,) = store.sources(recipe.base).glob("*.gguf")
    return train_generator(recipe, gguf, learn, judge, _own(work, purpose, recipe, split, store), report)


def _own(work: Path, purpose: Purpose, recipe: Recipe, split: Splits, store: ModelStore) -> Path:
    """Of just these examples, this recipe, base, agent and task: others begin anew."""
    every = [example for found in split.values() for example in found]
    base, code = store.key(recipe.base), purpose.code.content_hash
    return work / hash_of([recipe.key, data_hash(every), base, code, purpose.fixed])[:16]


def _write_delta(file: Path, tensors: Mapping[str, Floats], head: Head | None) -> None:
    """Low-rank parts in half precision, which halves the file. Raises UserError where it is too large."""
    from safetensors.numpy import save_file

    packed = {
        name: np.ascontiguousarray(value, dtype=np.float16 if ":" in name else np.float32)
        for name, value in tensors.items()
    }
    save_file(packed, file, metadata={"head": head.model_dump_json()} if head else None)
    if (size := file.stat().st_size) > LARGEST_BYTES:
        raise UserError(
            f"The delta has {size / 1e6:.1f} MB, and {LARGEST_BYTES / 1e6:.0f} MB are allowed.",
            hint="Lower `rank` in the recipe.",
        )


def _card(
    name: str, purpose: Purpose, recipe: Recipe, base: ModelCard, examples: Sequence[Example], delta: Path
) -> ModelCard:
    """The base's card with the delta beside its files, for one agent."""
    learnt = sum(example.split == "train" for example in examples)
    file = ModelFile(
        name=DELTA, parts=(f"file:{DELTA}",), sha256=sha256_of(delta), size_bytes=delta.stat().st_size
    )
    return base.model_copy(
        update={
            "name": name,
            "description": f"Trained for agent {purpose.agent} on {learnt:,} examples.",
            "licence": f"{base.licence} (base); {purpose.licence} (what it learnt from)",
            "origin": f"{base.name} and recipe {recipe.name}",
            "role": "candidate",
            "capabilities": _capabilities(purpose.learns, base),
            "files": (*base.files, file),
            "options": _options(recipe, base),
            "measured": (),
            "notes": "",
            "specialism": Specialism(
                agent=purpose.agent,
                base=base.name,
                recipe=recipe.name,
                recipe_hash=recipe.key,
                data_hash=data_hash(examples),
                fixed=fixed_of(purpose),
                kinds=tuple(sorted(purpose.learns.kinds_in(purpose.fixed))),
                trained_at=utc_now(),
            ),
        }
    )


def fixed_of(purpose: Purpose) -> dict[str, str]:
    """Hashes of what must be the same when it is asked: all that defines the task, but for kinds to mark."""
    hashes = defining_hashes(purpose.learns, purpose.fixed)
    free = purpose.learns.choices if purpose.learns.kind == "spans" else None
    return {name: value for name, value in hashes.items() if name != free}


def _lineage(recipe: Recipe, examples: Sequence[Example], store: ModelStore) -> dict[str, Any]:
    """From what it came, so that it can be made again: hashes of texts, and no texts."""
    return {
        "recipe": recipe.model_dump(mode="json"),
        "base_key": store.key(recipe.base),
        "data_hash": data_hash(examples),
        "identity": IDENTITY,
        "texts": {name: sorted(e.id for e in examples if e.split == name) for name in ("train", "dev")},
        "written": sorted(
            mark for e in examples if e.split != "test" for mark in e.written if not mark.startswith(BARE)
        ),
        "answered_by": dict(Counter(e.by for e in examples if e.split != "test")),
    }


def _options(recipe: Recipe, base: ModelCard) -> Json:
    """An encoder reads a text as it was trained: as much of it, and with its lines or without."""
    if recipe.method == "generator":
        return base.options
    seen = {LINE_BREAK: recipe.line_break} if recipe.line_break else {}
    return {**base.options, "max_tokens": recipe.max_tokens, **seen}


def _capabilities(learns: Learns, base: ModelCard) -> frozenset[Capability]:
    """A head answers one kind of call; a generator goes on doing what it did."""
    if learns.kind == "json":
        return base.capabilities
    answers: dict[str, Capability] = {"label": "classify", "spans": "tag", "choice": "score-pairs"}
    return frozenset({answers[learns.kind]})
