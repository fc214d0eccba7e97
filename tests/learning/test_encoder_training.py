"""Training a tiny encoder: it learns, and goes on after a kill as if nothing had been."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from orchestrator.learning.averaging import Average
from orchestrator.learning.curve import Epoch, Trained
from orchestrator.learning.encoder_training import Trainer, low_rank_encoder, read, train_encoder
from orchestrator.learning.examples import Example
from orchestrator.learning.recipes import Recipe
from orchestrator.learning.tasks import LabelTask, Row, SpanTask, Task
from tests.learning.tiny import tiny_base

RECIPE = Recipe(
    name="tiny", description="For tests.", method="encoder", base="tiny", epochs=4, batch=8, rank=4,
    learning_rate=5e-3,
)  # fmt: skip
COLOURS = ("red", "green", "blue")
THINGS = ("ball", "house", "car", "tree", "ship")
WORDS = [*COLOURS, *THINGS, "the", "is"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"), WORDS)


def rows(task: Task, base: Path, examples: Sequence[Example]) -> list[Row]:
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    return [task.row(example, tokenizer.encode(example.text)) for example in examples]


def labelled() -> list[Example]:
    """The label is the colour that is named."""
    random = np.random.default_rng(0)
    made = []
    for number in range(60):
        colour, thing, other = random.choice(COLOURS), random.choice(THINGS), random.choice(THINGS)
        text = f"the {thing} is {colour}" if number % 2 else f"{colour} {other} the {thing}"
        made.append(Example(text=text, answer=str(colour), by="file", origin=f"f:{number}"))
    return made


def spans() -> list[Example]:
    made = []
    for number, example in enumerate(labelled()):
        at = example.text.index(example.answer)
        part = {"kind": "colour", "start": at, "end": at + len(example.answer), "text": example.answer}
        made.append(Example(text=example.text, answer=[part], by="file", origin=f"f:{number}"))
    return made


def test_an_mpnet_reads_a_word_for_padding_as_the_converted_graph_does(tmp_path: Path) -> None:
    """By itself it would pass over token 1, and give what follows another place."""
    base = tiny_base(tmp_path / "base", WORDS, "mpnet")
    encoder = low_rank_encoder(RECIPE, base).eval()
    ids = torch.tensor([[3, 1, 4, 5]])
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": torch.zeros_like(ids),
    }
    places = torch.tensor([[2, 3, 4, 5]])
    with torch.no_grad():
        expected = encoder(input_ids=ids, position_ids=places).last_hidden_state
        assert torch.equal(read(encoder, inputs), expected)
        assert not torch.allclose(read(encoder, inputs), encoder(input_ids=ids).last_hidden_state)


@pytest.mark.parametrize("bfloat16", [False, True])
def test_an_mpnet_learns_in_its_own_matrices(tmp_path: Path, bfloat16: bool) -> None:
    base, task = tiny_base(tmp_path / "base", WORDS, "mpnet"), LabelTask(COLOURS)
    known, unseen = rows(task, base, labelled()[:40]), rows(task, base, labelled()[40:])
    changes = {"epochs": 20, "patience": 20, "learning_rate": 1e-2, "bfloat16": bfloat16}
    recipe = RECIPE.model_copy(update=changes)
    trained = train_encoder(recipe, task, base, known, unseen, tmp_path, lambda epoch: None)
    assert trained.best.dev_quality > 0.9
    assert all(value.dtype == np.float32 for value in trained.tensors.values())
    assert "encoder.layer.0.attention.attn.q.weight:down" in trained.tensors


@pytest.mark.parametrize(
    ("task", "examples"),
    [(LabelTask(COLOURS), labelled()), (SpanTask(("colour",)), spans())],
    ids=["labels", "spans"],
)
def test_it_learns(task: Task, examples: list[Example], base: Path, tmp_path: Path) -> None:
    known, unseen = rows(task, base, examples[:40]), rows(task, base, examples[40:])
    heard: list[Epoch] = []
    recipe = RECIPE.model_copy(update={"epochs": 20, "patience": 20, "learning_rate": 1e-2})
    trained = train_encoder(recipe, task, base, known, unseen, tmp_path, heard.append)
    assert trained.curve == tuple(heard)
    assert trained.curve[-1].loss < trained.curve[0].loss / 2
    assert trained.best.dev_quality > 0.9
    assert {name.rpartition(":")[2] for name in trained.tensors} == {"up", "down", "head.weight", "head.bias"}


@pytest.mark.parametrize("average", [0.0, 0.7])
def test_a_killed_training_ends_as_if_nothing_had_been(base: Path, tmp_path: Path, average: float) -> None:
    task, recipe = LabelTask(COLOURS), RECIPE.model_copy(update={"average": average})
    known, unseen = rows(task, base, labelled()[:40]), rows(task, base, labelled()[40:])

    def run(work: Path, stop_after: int | None = None) -> Trained | None:
        trainer = Trainer(recipe, task, base, known, unseen, work)
        while not trainer.is_done():
            if stop_after is not None and trainer.next_epoch().epoch == stop_after:
                return None
            if stop_after is None:
                trainer.next_epoch()
        return trainer.trained()

    whole = run(tmp_path / "whole")
    for stop_after in (1, 3):
        work = tmp_path / f"killed after {stop_after}"
        assert run(work, stop_after) is None
        resumed = run(work)
        assert whole is not None
        assert resumed is not None
        assert resumed.curve == whole.curve
        for name, value in whole.tensors.items():
            assert np.array_equal(value, resumed.tensors[name]), name


def test_the_average_is_judged_and_kept_while_learning_goes_its_own_way(base: Path, tmp_path: Path) -> None:
    task = LabelTask(COLOURS)
    known, unseen = rows(task, base, labelled()[:40]), rows(task, base, labelled()[40:])
    recipe = RECIPE.model_copy(update={"epochs": 1, "average": 0.7})
    averaged, plain = (
        Trainer(each, task, base, known, unseen, tmp_path / str(each.average))
        for each in (recipe, recipe.model_copy(update={"average": 0.0}))
    )
    epochs = averaged.next_epoch(), plain.next_epoch()
    assert epochs[0].loss == epochs[1].loss, "what is learnt from the rows is the same"
    assert epochs[0].dev_loss != epochs[1].dev_loss
    head = {trainer: trainer.bare_model().head.weight.detach().numpy() for trainer in (averaged, plain)}
    assert np.array_equal(head[averaged], head[plain])
    assert np.array_equal(plain.delta()["head.weight"], head[plain])
    assert not np.array_equal(averaged.best["head.weight"].numpy(), plain.best["head.weight"].numpy())


def test_an_average_moves_by_its_share() -> None:
    value = torch.nn.Parameter(torch.tensor([0.0]))
    average = Average(lambda: {"w": value}, decay=0.75)
    value.data.fill_(8.0)
    average.follow()
    average.follow()
    assert average.values["w"].item() == pytest.approx(8 * (1 - 0.75**2))
    with average.in_place():
        assert value.item() == pytest.approx(3.5)
    assert value.item() == 8.0


def test_a_half_written_checkpoint_is_not_read(base: Path, tmp_path: Path) -> None:
    task = LabelTask(COLOURS)
    known, unseen = rows(task, base, labelled()[:40]), rows(task, base, labelled()[40:])
    trainer = Trainer(RECIPE, task, base, known, unseen, tmp_path)
    first = trainer.next_epoch()
    whole = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.new").write_bytes(whole[:100])
    again = Trainer(RECIPE, task, base, known, unseen, tmp_path)
    assert again.next_epoch().epoch == first.epoch + 1
    shutil.rmtree(tmp_path)


def test_training_stops_when_nothing_gets_better(base: Path, tmp_path: Path) -> None:
    task = LabelTask(COLOURS)
    examples = labelled()
    shuffled = [e.model_copy(update={"answer": COLOURS[n % 3]}) for n, e in enumerate(examples[40:])]
    known, unseen = rows(task, base, examples[:40]), rows(task, base, shuffled)
    recipe = RECIPE.model_copy(update={"epochs": 30, "patience": 2})
    trained = train_encoder(recipe, task, base, known, unseen, tmp_path, lambda epoch: None)
    assert len(trained.curve) < 30
    assert len(trained.curve) == trained.best.epoch + 2
