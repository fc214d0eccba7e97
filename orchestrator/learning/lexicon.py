"""How usual a word is in Dutch and English, and which words are given names somewhere.

How often words are used comes from the package wordfreq, on its scale by powers of ten (Zipf values: "the"
has 7.7, "laptop" 4.3, "toner" 3.1); names from the lists of the package Faker, as far as their letters have a
case. Dutch joins words freely: a word made of two usual ones counts as usual.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import Any

_LANGUAGES = ("en", "nl")
_NEAR = (
    "nl_NL",
    "nl_BE",
    "en_GB",
    "en_US",
    "fr_FR",
    "de_DE",
    "tr_TR",
    "pl_PL",
    "es_ES",
    "it_IT",
    "pt_PT",
    "ro_RO",
)
_GIVEN = ("first_names", "first_names_male", "first_names_female", "first_names_unisex")
_SURNAMES = ("last_names",)
_PART_AT_LEAST, _SHORTEST_COMPOUND, _SHORTEST_PART = 3.3, 8, 3


@cache
def zipf(word: str) -> float:
    """Of the language in which it is used more; 0.0 where it is not known at all."""
    from wordfreq import zipf_frequency

    return float(max(zipf_frequency(word, language) for language in _LANGUAGES))


@cache
def is_compound(word: str) -> bool:
    """Two usual words in one, with or without the Dutch linking s, the second one no given name."""
    if len(word) < _SHORTEST_COMPOUND:
        return False
    cuts = range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1)
    return any(
        zipf(word[:cut].removesuffix(link)) >= _PART_AT_LEAST and zipf(word[cut:]) >= _PART_AT_LEAST
        for cut in cuts
        for link in ("", "s")
        if len(word[:cut].removesuffix(link)) >= _SHORTEST_PART and word[cut:] not in given_names()
    )


@cache
def given_names() -> frozenset[str]:
    """In lower case, of all lists. Two letters are left out: they are words in one of the languages."""
    every = [locale.name for locale in pkgutil.iter_modules(_person().__path__)]
    return frozenset(_listed(every, _GIVEN))


@cache
def near_given_names() -> frozenset[str]:
    """Those that are given in and around the Low Countries."""
    return frozenset(_listed(_NEAR, _GIVEN))


@cache
def near_surnames() -> frozenset[str]:
    return frozenset(_listed(_NEAR, _SURNAMES))


def _person() -> Any:
    return import_module("faker.providers.person")


def _listed(locales: Iterable[str], kinds: Iterable[str]) -> Iterator[str]:
    for locale in locales:
        provider = import_module(f"{_person().__name__}.{locale}").Provider
        for kind in kinds:
            found = getattr(provider, kind, ())
            # Some compute a list from others; those hold the names themselves.
            names = () if isinstance(found, property) else found
            yield from (name.casefold() for name in names if len(name) > 2 and name.casefold() != name)
