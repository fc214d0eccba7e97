"""Pulling through the front door: what is installed, what is said, what is never fetched twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestrator.errors import (
    IntegrityError,
    ModelUnavailable,
    NotEnoughResources,
    StoreError,
    UnknownName,
    UserError,
)
from orchestrator.store import Machine
from orchestrator.store.manifest import Manifest, read_manifest
from orchestrator.types import Conversion, Specialism
from tests.store.helpers import FAKE, PLENTY, Heard, World, make_card, make_wheel, model_file

WORDS = b"these are the words of a small model\n"


def test_a_local_file_is_installed_as_it_is(world: World) -> None:
    store = world.store(make_card(model_file("words.txt", WORDS, world.put("words.txt", WORDS))))
    assert store.state("tiny") == "absent"
    manifest = store.pull("tiny")
    assert store.state("tiny") == "installed"
    assert (store.folder("tiny") / "words.txt").read_bytes() == WORDS
    assert manifest == store.manifest("tiny") == store.verify("tiny")
    assert [file.path for file in manifest.files] == ["words.txt"]
    assert world.leftovers() == []


def test_an_absolute_path_and_a_link_are_imported_by_copying(world: World, tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_bytes(WORDS)
    (world.cards / "link.txt").symlink_to(tmp_path / "real.txt")
    store = world.store(
        make_card(
            model_file("a.txt", WORDS, f"file:{tmp_path / 'real.txt'}"),
            model_file("b/c.txt", WORDS, "file:link.txt"),
        )
    )
    store.pull("tiny")
    for name in ("a.txt", "b/c.txt"):
        installed = store.folder("tiny") / name
        assert not installed.is_symlink()
        assert installed.stat().st_nlink == 1
        assert installed.read_bytes() == WORDS


def test_parts_of_several_wheels_are_joined_in_the_order_of_the_card(world: World) -> None:
    pieces = [bytes([65 + index]) * 10_000 for index in range(6)]
    for index, piece in enumerate(pieces):
        make_wheel(world.wheels, f"part{index}", {f"part{index}/data.bin": piece, "part/__init__.py": b"1/0"})
    parts = [f"pypi:part{index}==1.0/part{index}/data.bin" for index in range(6)]
    heard = Heard()
    store = world.store(make_card(model_file("whole.txt", b"".join(pieces), *parts)))
    store.pull("tiny", heard)
    assert (store.folder("tiny") / "whole.txt").read_bytes() == b"".join(pieces)
    done = [event.done for event in heard.of("download")]
    assert done[-1] == 60_000
    assert {event.total for event in heard.of("download")} == {60_000}
    assert world.leftovers() == []


def test_a_second_pull_fetches_nothing(world: World) -> None:
    make_wheel(world.wheels, "words", {"words/a.txt": WORDS})
    card = make_card(model_file("a.txt", WORDS, "pypi:words==1.0/words/a.txt"))
    first = world.store(card).pull("tiny")
    shutil.rmtree(world.wheels)
    heard = Heard()
    assert world.store(card).pull("tiny", heard) == first
    assert heard.stages() == ["done"]


def test_two_cards_with_the_same_file_share_the_download(world: World) -> None:
    make_wheel(world.wheels, "words", {"words/a.txt": WORDS})
    file = model_file("a.txt", WORDS, "pypi:words==1.0/words/a.txt")
    one, two = make_card(file, name="one"), make_card(file, name="two", conversion=FAKE)
    store = world.store(one, two)
    store.pull("one")
    assert store.plan("two").download_bytes == 0
    assert store.plan("two").cached_bytes == len(WORDS)
    shutil.rmtree(world.wheels)
    store.pull("two")
    assert world.leftovers() == []  # nobody needs it any more


def test_several_members_of_one_wheel_are_one_download(world: World) -> None:
    make_wheel(world.wheels, "words", {"words/a.txt": WORDS, "words/b.txt": WORDS[::-1]})
    store = world.store(
        make_card(
            model_file("a.txt", WORDS, "pypi:words==1.0/words/a.txt"),
            model_file("b.txt", WORDS[::-1], "pypi:words==1.0/words/b.txt"),
        )
    )
    heard = Heard()
    store.pull("tiny", heard)
    assert {event.text for event in heard.of("download")} == {"words==1.0"}


def test_the_plan_says_what_a_pull_takes(world: World) -> None:
    conversion = FAKE.model_copy(update={"peak_memory_bytes": 2_000_000_000, "disk_bytes": 500_000_000})
    card = make_card(model_file("a.txt", WORDS, world.put("a.txt", WORDS)), conversion=conversion)
    plan = world.store(card).plan("tiny")
    assert (plan.download_bytes, plan.cached_bytes) == (len(WORDS), 0)
    assert plan.disk_needed_bytes == 500_000_000 + len(WORDS)
    assert plan.memory_needed_bytes == 2_000_000_000
    assert "memory to convert 2.00 GB of 1000.00 GB" in plan.text()


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (
            Machine(disk_free_bytes=lambda _: 1000, memory_available_bytes=lambda: 10**12),
            "0.50 GB of free disk",
        ),
        (
            Machine(disk_free_bytes=lambda _: 10**12, memory_available_bytes=lambda: 10**9),
            "2.00 GB of memory",
        ),
    ],
)
def test_too_little_room_is_refused_with_the_figures_before_anything_is_fetched(
    world: World, machine: Machine, words: str
) -> None:
    conversion = FAKE.model_copy(update={"peak_memory_bytes": 2 * 10**9, "disk_bytes": 500_000_000})
    card = make_card(model_file("a.txt", WORDS, "pypi:absent==1.0/a.txt"), conversion=conversion)
    heard = Heard()
    with pytest.raises(NotEnoughResources, match=words) as caught:
        world.store(card, machine=machine).pull("tiny", heard)
    assert "Nothing was downloaded" in str(caught.value)
    assert heard.events == []
    assert world.leftovers() == []


def test_a_conversion_is_recorded_with_its_cost(world: World) -> None:
    conversion = Conversion(
        recipe="encoder-to-onnx", precision="int8", options={"steps": 3, "say": "chatter"}
    )
    card = make_card(model_file("config.json", b"{}", world.put("config.json", b"{}")), conversion=conversion)
    heard = Heard()
    manifest = world.store(card).pull("tiny", heard)
    assert manifest.tools == {"fake": "1.0"}
    assert (manifest.peak_memory_bytes, manifest.conversion_s) == (12345, 0.5)
    assert [file.path for file in manifest.files] == [
        "sources.json",
        *(f"weights-{i}.onnx.data" for i in range(3)),
    ]
    assert [(event.done, event.total) for event in heard.of("convert")] == [(1, 3), (2, 3), (3, 3)]
    assert heard.stages()[0] == "plan"
    assert heard.stages()[-2:] == ["install", "done"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fail": "it has 7 heads."}, "it has 7 heads. Try something else."),
        ({"crash": 3, "say": "the last words"}, "the last words"),
        ({"crash": 0}, "ended with code 0"),
    ],
)
def test_a_failed_conversion_installs_nothing_and_keeps_the_download(
    world: World, options: dict[str, str | int | bool], words: str
) -> None:
    make_wheel(world.wheels, "words", {"words/a.txt": WORDS})
    file = model_file("a.txt", WORDS, "pypi:words==1.0/words/a.txt")
    conversion = Conversion(recipe="encoder-to-onnx", precision="int8", options=options)
    store = world.store(make_card(file, conversion=conversion))
    with pytest.raises(StoreError, match=words.replace(".", r"\.")):
        store.pull("tiny")
    assert store.state("tiny") == "absent"
    assert store.plan("tiny").download_bytes == 0
    assert not any(store.cache_dir.glob("models/*"))


def test_a_converter_that_is_not_installed_is_found_out_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnx" else object())
    card = make_card(model_file("a.txt", WORDS, "pypi:absent==1.0/a.txt"), conversion=FAKE)
    with pytest.raises(StoreError, match=r"needs onnx.*pip install"):
        world.store(card).pull("tiny")


def test_a_new_version_of_a_card_replaces_the_old_one(world: World) -> None:
    old = make_card(model_file("a.txt", WORDS, world.put("old.txt", WORDS)))
    new = make_card(model_file("a.txt", b"new", world.put("new.txt", b"new")))
    world.store(old).pull("tiny")
    store = world.store(new)
    assert store.state("tiny") == "absent"
    store.pull("tiny")
    assert len(list(store.cache_dir.glob("models/*"))) == 1
    assert world.store(old).state("tiny") == "absent"


def test_an_edited_description_installs_nothing_again(world: World) -> None:
    file = model_file("a.txt", WORDS, world.put("a.txt", WORDS))
    world.store(make_card(file)).pull("tiny")
    edited = make_card(file, description="better words", licence="Apache-2.0", memory_bytes=5)
    assert world.store(edited).state("tiny") == "installed"


def test_removing_frees_the_model_and_its_downloads(world: World) -> None:
    file = model_file("a.txt", WORDS, world.put("a.txt", WORDS))
    store = world.store(make_card(file), make_card(file, name="twin", conversion=FAKE))
    store.pull("tiny")
    assert world.leftovers() != []  # kept for the twin
    assert store.remove("tiny") > len(WORDS)
    assert store.state("tiny") == "absent"
    assert world.leftovers() == []
    assert store.remove("tiny") == 0


def test_a_file_that_somebody_deleted_makes_the_model_absent_and_a_pull_mends_it(world: World) -> None:
    store = world.store(make_card(model_file("a.txt", WORDS, world.put("a.txt", WORDS))))
    store.pull("tiny")
    assert store.state("tiny") == "installed"
    (store.folder("tiny") / "a.txt").unlink()
    assert store.state("tiny") == "absent"
    store.pull("tiny")
    store.verify("tiny")


def test_a_model_that_comes_and_goes_elsewhere_is_seen_to(world: World) -> None:
    file = model_file("deep/a.txt", WORDS, world.put("a.txt", WORDS))
    here, elsewhere = world.store(make_card(file)), world.store(make_card(file))
    assert here.state("tiny") == "absent"
    elsewhere.pull("tiny")
    assert [here.state("tiny"), here.state("tiny")] == ["installed", "installed"]
    (here.folder("tiny") / "deep" / "a.txt").unlink()
    assert here.state("tiny") == "absent"
    elsewhere.pull("tiny")
    assert here.state("tiny") == "installed"
    (here.folder("tiny") / "manifest.json").write_text("{}", "utf-8")
    assert here.state("tiny") == "absent"
    elsewhere.pull("tiny")
    assert here.state("tiny") == "installed"
    (here.folder("tiny") / "deep" / "a.txt").write_bytes(b"")
    assert here.state("tiny") == "absent"
    elsewhere.pull("tiny")
    assert here.state("tiny") == "installed"
    elsewhere.remove("tiny")
    assert here.state("tiny") == "absent"


def test_a_model_that_goes_while_it_is_looked_at_is_not_remembered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make_card(model_file("a.txt", WORDS, world.put("a.txt", WORDS)))
    here, elsewhere = world.store(card), world.store(card)
    elsewhere.pull("tiny")

    def read_and_gone(folder: Path) -> Manifest | None:
        found = read_manifest(folder)
        elsewhere.remove("tiny")
        return found

    with monkeypatch.context() as patched:
        patched.setattr("orchestrator.store.store.read_manifest", read_and_gone)
        assert here.state("tiny") == "absent"
    assert here.state("tiny") == "absent"
    here.pull("tiny")
    assert here.state("tiny") == "installed"


def test_an_installed_model_is_not_read_again_for_every_question(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = world.store(make_card(model_file("a.txt", WORDS, world.put("a.txt", WORDS))))
    store.pull("tiny")
    assert store.state("tiny") == "installed"
    monkeypatch.setattr("orchestrator.store.store.read_manifest", lambda folder: pytest.fail("read again"))
    assert store.state("tiny") == "installed"


def test_verify_tells_what_changed_what_is_missing_and_what_was_added(world: World) -> None:
    store = world.store(make_card(model_file("a.txt", WORDS, world.put("a.txt", WORDS))))
    store.pull("tiny")
    folder = store.folder("tiny")
    (folder / "a.txt").write_bytes(WORDS.swapcase())
    (folder / "b.txt").write_bytes(b"new")
    with pytest.raises(IntegrityError, match=r"a.txt changed; b.txt was added\. `lilliput models rm tiny`"):
        store.verify("tiny")


def test_what_is_not_there_is_said_with_what_to_type(world: World) -> None:
    store = world.store(make_card(model_file("a.txt", WORDS, world.put("a.txt", WORDS))))
    with pytest.raises(ModelUnavailable, match="lilliput models pull tiny"):
        store.folder("tiny")
    with pytest.raises(UnknownName, match="Did you mean 'tiny'"):
        store.state("tinny")
    with pytest.raises(StoreError, match="is no file"):
        world.store(make_card(model_file("a.txt", WORDS, "file:nowhere.txt"))).pull("tiny")


def test_a_model_without_files_is_always_there_and_cannot_be_pulled(world: World) -> None:
    card = make_card(
        runtime="remote", capabilities=["generate"], remote={"base_url": "http://x/v1", "model": "m"}
    )
    store = world.store(card, machine=PLENTY)
    assert store.state("tiny") == "installed"
    with pytest.raises(UserError, match="no files to pull"):
        store.pull("tiny")
    with pytest.raises(ModelUnavailable):
        store.folder("tiny")


def test_specialists_of_two_workspaces_may_have_the_same_name(world: World) -> None:
    trained = Specialism(
        agent="label", base="tiny", recipe="head", recipe_hash="1", data_hash="2", trained_at="2026-11-24"
    )
    ours, theirs = (
        make_card(model_file("delta", content, world.put(content.decode(), content)), specialism=trained)
        for content in (b"ours", b"theirs")
    )
    for card in (ours, theirs):
        world.store(card).pull("tiny")
    assert [world.store(card).state("tiny") for card in (ours, theirs)] == ["installed", "installed"]
