"""Training a tiny generator: its base is the published one, it learns, and its delta is what answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.learning.curve import Epoch, Trained
from orchestrator.learning.generator_training import Tuner, Turn, published_model, train_generator
from orchestrator.learning.recipes import Recipe
from tests.store.conftest import world
from tests.store.helpers import World
from tests.store.test_convert import IDS, drift
from tests.store.test_delta import install_decoder
from tests.store.tiny_models import TinyDecoder, run_decoder

__all__ = ["world"]
RECIPE = Recipe(
    name="tiny", description="For tests.", method="generator", base="tiny", epochs=8, batch=8, rank=4,
    learning_rate=1e-2, dropout=0.0, patience=8,
)  # fmt: skip
END = 7


def turns(n: int, seed: int) -> list[Turn]:
    """The answer is the prompt's last token, and the end."""
    random = np.random.default_rng(seed)
    prompts = [tuple(random.integers(20, 24, size=random.integers(4, 9)).tolist()) for _ in range(n)]
    return [Turn(prompt, (prompt[-1], END)) for prompt in prompts]


@pytest.fixture(params=["llama", "qwen2"])
def model(request: pytest.FixtureRequest) -> TinyDecoder:
    return TinyDecoder(request.param)


@pytest.fixture
def gguf(model: TinyDecoder, tmp_path: Path) -> Path:
    return model.write_gguf(tmp_path / "tiny.gguf")


def test_the_base_computes_what_was_published(model: TinyDecoder, gguf: Path) -> None:
    import torch

    with torch.no_grad():
        found = published_model(gguf).eval()(torch.from_numpy(IDS)).logits.numpy()
    assert drift(found, model.logits(IDS)) < 1e-5


def train(gguf: Path, work: Path, **changes: object) -> tuple[Trained, list[Epoch]]:
    heard: list[Epoch] = []
    recipe = RECIPE.model_copy(update=changes)
    return train_generator(recipe, gguf, turns(64, 0), turns(16, 1), work, heard.append), heard


def test_it_learns_and_its_delta_is_what_answers(model: TinyDecoder, gguf: Path, world: World) -> None:
    trained, heard = train(gguf, world.root / "work")
    assert heard[-1].loss < heard[0].loss / 2
    assert heard[-1].dev_loss < heard[0].dev_loss
    folder = install_decoder(world, model, trained.tensors, "float32")
    changed = {name.rpartition(":")[0] for name in trained.tensors}
    assert len(changed) == 7 * model.layers
    before = model.logits(IDS)
    for name in changed:
        own = trained.tensors
        model.weights[name] = model.weights[name] + own[f"{name}:up"] @ own[f"{name}:down"]
    found = run_decoder(folder, IDS, model.kv_heads, model.hidden // model.heads)
    assert drift(found, model.logits(IDS)) < 1e-4
    assert drift(before, model.logits(IDS)) > 0.01


def test_a_killed_training_ends_as_if_it_had_not_been(gguf: Path, tmp_path: Path) -> None:
    whole, _ = train(gguf, tmp_path / "whole", epochs=3)
    recipe = RECIPE.model_copy(update={"epochs": 3})
    Tuner(recipe, gguf, turns(64, 0), turns(16, 1), tmp_path / "cut").next_epoch()
    again, heard = train(gguf, tmp_path / "cut", epochs=3)
    assert [epoch.epoch for epoch in heard] == [2, 3]
    assert again.curve == whole.curve
    assert all(np.array_equal(again.tensors[name], whole.tensors[name]) for name in whole.tensors)


@pytest.mark.parametrize("layers", [None, 1])
def test_a_base_in_bfloat16_teaches_nearly_the_same(gguf: Path, tmp_path: Path, layers: int | None) -> None:
    exact, _ = train(gguf, tmp_path / "exact", layers=layers)
    rounded, heard = train(gguf, tmp_path / "rounded", layers=layers, bfloat16=True)
    assert heard[-1].loss < heard[0].loss
    assert rounded.tensors.keys() == exact.tensors.keys()
    assert all(value.dtype == np.float32 for value in rounded.tensors.values())
    assert rounded.curve != exact.curve, "nothing was rounded"
    assert rounded.curve[-1].dev_loss == pytest.approx(exact.curve[-1].dev_loss, rel=0.1)


def test_only_the_answer_counts(gguf: Path, tmp_path: Path) -> None:
    """Another prompt of the same length changes the loss only through what the model makes of it."""
    tuner = Tuner(RECIPE, gguf, turns(8, 0), turns(4, 1), tmp_path)
    scores, targets = tuner._scored([Turn((30, 31, 32), (33, END)), Turn((21,), (22, 23, END))])
    assert targets.tolist() == [33, END, 22, 23, END]
    assert scores.shape == (5, 264)


def test_the_last_layers_alone_learn_the_same_from_what_was_kept(
    model: TinyDecoder, gguf: Path, world: World
) -> None:
    """What the layers below make of a row is computed once; scores are those of the whole model."""
    import torch

    whole = Tuner(RECIPE, gguf, turns(8, 0), turns(4, 1), world.root / "whole")
    upper = Tuner(
        RECIPE.model_copy(update={"layers": 1}), gguf, turns(8, 0), turns(4, 1), world.root / "upper"
    )
    rows = [Turn((30, 31, 32), (33, END)), Turn((21,), (22, 23, END))]
    with torch.no_grad():
        for _ in range(2):
            assert torch.allclose(upper._scored(rows)[0], whole._scored(rows)[0], atol=1e-5)
    trained, heard = train(gguf, world.root / "work", layers=1)
    assert heard[-1].loss < heard[0].loss
    last = model.layers - 1
    assert {name.split(".")[1] for name in trained.tensors} == {str(last)}
    folder = install_decoder(world, model, trained.tensors, "float32")
    for name in {name.rpartition(":")[0] for name in trained.tensors}:
        own = trained.tensors
        model.weights[name] = model.weights[name] + own[f"{name}:up"] @ own[f"{name}:down"]
    found = run_decoder(folder, IDS, model.kv_heads, model.hidden // model.heads)
    assert drift(found, model.logits(IDS)) < 1e-4
