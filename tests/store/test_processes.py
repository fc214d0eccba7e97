"""Several processes at once, and processes that are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.store import ModelStore, PullEvent
from orchestrator.store.files import sha256_of
from orchestrator.store.staging import staged
from orchestrator.types import Conversion, ModelCard
from tests.store.helpers import World, make_card, make_wheel, model_file

WORDS = b"these are the words of a small model\n" * 1000
KILLS = 30


def slow_card(world: World, name: str = "tiny", pause_ms: int = 30, source: str = "pypi") -> ModelCard:
    """A model whose conversion writes ten files, one after the other."""
    if source == "pypi":
        make_wheel(world.wheels, "words", {"words/config.json": json.dumps(WORDS.decode()).encode()})
        part = "pypi:words==1.0/words/config.json"
    else:
        part = world.put("config.json", json.dumps(WORDS.decode()).encode())
    options: dict[str, str | int | bool] = {"steps": 10, "pause_ms": pause_ms}
    conversion = Conversion(recipe="encoder-to-onnx", precision="int8", options=options)
    content = json.dumps(WORDS.decode()).encode()
    return make_card(model_file("config.json", content, part), name=name, conversion=conversion)


def start(world: World, card: ModelCard) -> subprocess.Popen[str]:
    job = {"card": card.model_dump(mode="json"), "cache": str(world.cache), "cards": str(world.cards)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.pull_script", json.dumps(job)],
        env=world.environ,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )
    wait_for(process, "plan")
    return process


def hear_interrupts() -> None:
    """A shell starts what it puts into the background deaf to SIGINT, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(process: subprocess.Popen[str], stage: str) -> PullEvent:
    assert process.stdout is not None
    for line in process.stdout:
        event = PullEvent.model_validate_json(line)
        if event.stage == stage:
            return event
    raise AssertionError(f"the process ended before {stage}")


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def sweep_until_quiet(store: ModelStore) -> None:
    """The kernel kills a killed pull's child too, which may take a moment; then nothing holds the stage."""
    deadline = time.monotonic() + 20
    while any((store.cache_dir / "staging").iterdir()) and time.monotonic() < deadline:
        store.sweep()
        time.sleep(0.02)


def is_whole(path: Path, card: ModelCard) -> bool:
    """A download outlives a kill: joined, or the finished part that was about to be. No piece of one does."""
    return path.parent.parent.name == "downloads" and sha256_of(path) == card.files[0].sha256


def test_a_piece_of_a_download_is_not_whole(world: World) -> None:
    card = slow_card(world)
    content = json.dumps(WORDS.decode()).encode()
    parts = world.cache / "downloads" / "parts"
    parts.mkdir(parents=True)
    (parts / "finished").write_bytes(content)
    (parts / "cut.partial").write_bytes(content[:-1])
    assert [is_whole(world.cache / name, card) for name in world.leftovers()] == [False, True]


def test_thirty_random_kills_leave_a_whole_model_or_none(world: World) -> None:
    card = slow_card(world)
    store = world.store(card)
    chance = random.Random(7)
    seen = set()
    for _ in range(KILLS):
        process = start(world, card)
        time.sleep(chance.uniform(0, 1.5))
        kill(process)
        state = store.state("tiny")
        seen.add(state)
        if state == "installed":
            store.verify("tiny")
            store.remove("tiny")
        sweep_until_quiet(store)
        assert not any((store.cache_dir / "staging").iterdir())
        assert all(is_whole(world.cache / name, card) for name in world.leftovers())
    store.pull("tiny")
    store.verify("tiny")
    assert world.leftovers() == []
    assert "absent" in seen


@pytest.mark.parametrize("stage", ["download", "convert", "install"])
def test_a_kill_at_each_stage(world: World, stage: str) -> None:
    card = slow_card(world)
    process = start(world, card)
    wait_for(process, stage)
    kill(process)
    store = world.store(card)
    if store.state("tiny") == "installed":
        store.verify("tiny")
    sweep_until_quiet(store)
    store.pull("tiny")
    store.verify("tiny")


def test_the_converter_dies_with_its_killed_parent(world: World) -> None:
    process = start(world, slow_card(world, pause_ms=60_000, source="file"))
    wait_for(process, "convert")
    children = child_ids(process.pid)
    assert len(children) == 1
    kill(process)
    deadline = time.monotonic() + 20
    while any(is_running(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(is_running(child) for child in children)


def child_ids(parent: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def is_running(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


def test_two_processes_pulling_the_same_model_install_it_once(world: World) -> None:
    card = slow_card(world)
    processes = [start(world, card) for _ in range(2)]
    outs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    events = [PullEvent.model_validate_json(line) for out in outs for line in out.splitlines()]
    assert sum(event.stage == "install" for event in events) == 1
    assert sum(event.stage == "wait" for event in events) <= 1
    store = world.store(card)
    store.verify("tiny")
    assert world.leftovers() == []


def test_two_processes_pulling_models_that_share_a_download(world: World) -> None:
    cards = [slow_card(world, "one"), slow_card(world, "two")]
    processes = [start(world, card) for card in cards]
    for process in processes:
        process.communicate(timeout=120)
    assert [process.returncode for process in processes] == [0, 0]
    store = world.store(*cards)
    for card in cards:
        store.verify(card.name)


def test_a_sweep_leaves_the_work_of_the_living_alone(world: World) -> None:
    store = world.store(slow_card(world))
    with staged(store.cache_dir) as stage:
        (stage.folder / "work.data").write_bytes(b"precious")
        downloads = store.cache_dir / "downloads" / "parts"
        downloads.mkdir(parents=True)
        (downloads / "somebody-else's").write_bytes(b"for a card of another workspace")
        assert store.sweep() == 0
        assert (stage.folder / "work.data").exists()
    assert store.sweep() > 0
    assert world.leftovers() == []


def test_a_sweep_of_an_empty_or_absent_cache_does_nothing(world: World) -> None:
    assert world.store(slow_card(world)).sweep() == 0
    assert not world.cache.exists()


def test_an_interrupt_ends_the_children_and_leaves_nothing(world: World) -> None:
    card = slow_card(world, pause_ms=60_000, source="file")
    process = start(world, card)
    wait_for(process, "convert")
    children = child_ids(process.pid)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert not any(is_running(child) for child in children)
    assert not any((world.cache / "staging").iterdir())
