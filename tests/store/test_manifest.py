"""Keys and manifests: what re-installs a model, and what does not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import IntegrityError
from orchestrator.store import ModelStore
from orchestrator.store.manifest import MANIFEST, card_key, read_manifest
from orchestrator.types import Conversion
from tests.store.helpers import World, make_card, model_file

FILE = model_file("a.txt", b"words", "file:a.txt")
CONVERTED = {"recipe": "gguf-to-genai", "precision": "native", "options": {"a": 1}}


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "other words"},
        {"licence": "Apache-2.0", "origin": "elsewhere", "notes": "a note"},
        {"memory_bytes": 7, "context_tokens": 9},
        {"name": "other"},
        {"conversion": {**CONVERTED, "peak_memory_bytes": 5, "disk_bytes": 6}},
        {"files": [FILE.model_copy(update={"parts": ("file:moved.txt",)})]},
    ],
)
def test_what_does_not_change_the_bytes_keeps_the_key(changes: dict[str, Any]) -> None:
    base = make_card(FILE, conversion=CONVERTED)
    assert card_key(make_card(**{"files": (FILE,), "conversion": CONVERTED, **changes})) == card_key(base)


@pytest.mark.parametrize(
    "changes",
    [
        {"files": [model_file("a.txt", b"other words", "file:a.txt")]},
        {"files": [FILE.model_copy(update={"name": "b.txt"})]},
        {"conversion": {**CONVERTED, "precision": "int4"}},
        {"conversion": {**CONVERTED, "options": {"a": 2}}},
        {"conversion": {"recipe": "none"}},
    ],
)
def test_what_changes_the_bytes_changes_the_key(changes: dict[str, Any]) -> None:
    base = make_card(FILE, conversion=CONVERTED)
    assert card_key(make_card(**{"files": (FILE,), "conversion": CONVERTED, **changes})) != card_key(base)


def test_the_order_of_the_files_on_the_card_does_not_matter() -> None:
    other = model_file("b.txt", b"more", "file:b.txt")
    assert card_key(make_card(FILE, other)) == card_key(make_card(other, FILE))


def test_the_manifest_says_what_came_from_where_and_what_is_there(world: World) -> None:
    card = make_card(model_file("a.txt", b"words", world.put("a.txt", b"words")))
    store = world.store(card)
    store.pull("tiny")
    manifest = store.manifest("tiny")
    assert manifest.key == card_key(card)
    assert store.folder("tiny").name == f"tiny-{manifest.key[:16]}"
    assert (manifest.sources[0].name, manifest.sources[0].parts) == ("a.txt", ("file:a.txt",))
    assert manifest.size_bytes == 5
    assert manifest.conversion == Conversion()
    assert manifest.installed_at.endswith("+00:00")


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"format": 99'])
def test_a_manifest_that_cannot_be_read_is_no_model(world: World, content: str) -> None:
    store = world.store(make_card(model_file("a.txt", b"words", world.put("a.txt", b"words"))))
    store.pull("tiny")
    (store.folder("tiny") / MANIFEST).write_text(content)
    assert store.state("tiny") == "absent"
    store.pull("tiny")
    assert store.state("tiny") == "installed"


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None


def installed(world: World) -> tuple[ModelStore, Path]:
    card = make_card(model_file("a.txt", b"words", world.put("a.txt", b"words")))
    store = world.store(card)
    store.pull("tiny")
    return store, store.folder("tiny") / "a.txt"


def overwrite(file: Path) -> None:
    """Other bytes of the same length, later than the manifest."""
    file.write_bytes(b"Words")
    later_ns = (file.parent / MANIFEST).stat().st_mtime_ns + 1_000_000
    os.utime(file, ns=(later_ns, later_ns))


def test_a_file_that_was_overwritten_is_not_loaded(world: World) -> None:
    store, file = installed(world)
    overwrite(file)
    with pytest.raises(IntegrityError, match=r"not what was installed: a.txt changed.*models pull tiny"):
        store.folder("tiny")


def test_a_pull_mends_a_file_that_was_overwritten(world: World) -> None:
    store, file = installed(world)
    overwrite(file)
    said: list[str] = []
    store.pull("tiny", lambda event: said.append(event.text))
    assert file.read_bytes() == b"words"
    assert any("a.txt changed. It is installed anew" in line for line in said)
    assert store.verify("tiny").model == "tiny"


def test_files_that_are_only_newer_are_hashed_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store, file = installed(world)
    later_ns = (file.parent / MANIFEST).stat().st_mtime_ns + 1_000_000
    os.utime(file, ns=(later_ns, later_ns))
    hashed: list[Path] = []
    monkeypatch.setattr(
        "orchestrator.store.store.check_files", lambda folder, manifest: hashed.append(folder)
    )
    store.folder("tiny")
    store.folder("tiny")
    assert hashed == [file.parent]
