"""Which texts are one and the same: what is noise, and what is another name."""

from __future__ import annotations

import hashlib

import pytest

from orchestrator.learning.examples import Example, text_id, written_ids
from orchestrator.learning.training import data_hash


def by_words(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("My screen stays black.", "my screen stays black"),
        ("  MY screen -- stays\nblack?! ", "my screen stays black"),
        ("what is 2+2, or 20+ 5", "what is 2 2 or 20 5"),
        ("ticket #12: x+y ++ c++a", "ticket 12 x y c a"),
        ("snake_case and 8+ years", "snake case and 8 years"),
    ],
)
def test_ordinary_texts_keep_the_hash_that_shipped_specialists_hold(text: str, words: str) -> None:
    assert text_id(text) == by_words(words)


def test_names_that_end_in_signs_are_names_of_their_own() -> None:
    texts = ["a C course", "a C++ course", "a C# course", "a C# course in C", "a C course in C#"]
    assert len({text_id(text) for text in texts}) == len(texts)
    assert len({written_ids(text, b"1" * 32)[0] for text in texts}) == len(texts)


@pytest.mark.parametrize("text", ["Is it c++?", "is it C++", " is it (C++). "])
def test_noise_around_such_a_name_is_noise(text: str) -> None:
    assert text_id(text) == by_words("is it c++")


def test_the_hash_of_data_goes_by_words_as_on_shipped_cards() -> None:
    plus, plain = (
        Example(text=text, answer="a", by="file", origin="f", given_split="train") for text in ("C++", "C")
    )
    assert plus.key != plain.key
    assert data_hash([plus]) == data_hash([plain])
