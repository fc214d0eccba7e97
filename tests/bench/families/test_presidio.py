"""Personal data: how templates are filled, what is kept apart, what counts, and the rules of the floor."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bench.cases import Case
from orchestrator.bench.data import cached_fetch, open_dataset, read_dataset_card
from orchestrator.kit.examples import read_examples
from orchestrator.kit.spans import Span
from orchestrator.settings import load_settings
from tests.agents.crew import ask
from tests.bench.families.helpers import (
    ROOT,
    ask_content,
    asks,
    check_splits,
    code,
    failed,
    grade,
    module,
)
from tests.core.world import write

NAME = "presidio"
SCORE = module(f"benchmarks/{NAME}/score.py")
PERSON = {
    "GivenName": "Eva",
    "Surname": "Maes",
    "StreetAddress": "Dorp 1",
    "City": "Gent",
    "ZipCode": "9000",
    "CountryFull": "Belgium",
    "EmailAddress": "eva@maes.be",
    "TelephoneNumber": "0476 12 34 56",
    "TelephoneCountryCode": "32",
    "Birthday": "3/29/1982",
    "Age": "37",
    "Occupation": "Baker",
    "Domain": "maes.be",
}
NATION = {"nationality": "belgian", "man": "Belgian", "woman": "Belgian", "plural": "Belgians"}
VALUES = SCORE.Values([PERSON], [{"organization": "Acme"}], [NATION], [{"us_driver_license": "S530"}])


def filled(template: str, seed: str = "1") -> tuple[str, list[tuple[str, str]]]:
    text, spans = SCORE.fill(template, VALUES, seed)
    return text, [(span.kind, text[span.start : span.end]) for span in spans]


# --- filling in -----------------------------------------------------------------------------------------


def test_gaps_are_filled_and_marked() -> None:
    text, spans = filled("Hi {{prefix}} {{last_name}}, is {{ email }} yours, {{first_name}}?")
    assert spans == [("person", "Maes"), ("email", "eva@maes.be"), ("person", "Eva")]
    assert text.endswith(" Maes, is eva@maes.be yours, Eva?")
    assert filled("Nothing here.") == ("Nothing here.", [])


def test_parts_of_one_address_are_one_span() -> None:
    together = filled("at {{city}},\n {{country}} {{zipcode}}")
    assert together[1] == [("location", "Gent,\n Belgium 9000")]
    assert filled("from {{city}} to {{country}}")[1] == [("location", "Gent"), ("location", "Belgium")]
    assert filled("{{first_name}}, {{last_name}}")[1] == [("person", "Eva"), ("person", "Maes")]


def test_an_unknown_gap_is_an_error() -> None:
    with pytest.raises(ValueError, match="'shoe_size'"):
        filled("{{shoe_size}}")


def test_filling_is_the_same_each_time_and_follows_the_seed() -> None:
    template = "{{credit_card_number}} {{iban}} {{ip_address}} {{ssn}}"
    assert filled(template) == filled(template)
    assert filled(template) != filled(template, "2")


def test_made_numbers_have_right_checksums() -> None:
    rules = module("agents/redact/answer.py")
    chance = random.Random(3)
    for _ in range(50):
        digits = SCORE._card(PERSON, VALUES, chance).replace(" ", "")
        odd = [int(digit) for digit in digits[-1::-2]]
        even = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
        assert len(digits) == 16
        assert (sum(odd) + sum(even)) % 10 == 0
        assert rules.is_iban(SCORE._iban(PERSON, VALUES, chance))


# --- cases and scores -----------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    write(tmp_path, "templates.txt", "\n".join(f"{n}: call {{{{name}}}}" for n in range(10)))
    tables = {
        "people": [{**PERSON, "Surname": f"Maes{n}"} for n in range(10)],
        "organizations": [{"organization": f"Acme {n}"} for n in range(10)],
        "nationalities": [NATION] * 10,
        "licences": [{"us_driver_license": f"S{n}"} for n in range(10)],
    }
    for name, rows in tables.items():
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return {file.name: file for file in tmp_path.iterdir()}


def test_neither_templates_nor_people_are_shared(files: dict[str, Path], tmp_path: Path) -> None:
    texts = {
        split: [c.inputs["text"] for c in code(NAME).read_cases(files, split)] for split in ("test", "dev")
    }
    code(NAME).materials(files, tmp_path)
    texts["train"] = [example.text for example in read_examples(tmp_path)]
    lines = {split: {int(text[0]) for text in found} for split, found in texts.items()}
    people = {split: {int(text[-1]) for text in found} for split, found in texts.items()}
    assert lines == {"test": {2, 5, 8}, "dev": {9}, "train": {0, 1, 3, 4, 6, 7}}
    assert people["dev"] == {9}
    assert people["test"] <= {2, 5, 8}
    assert people["train"] <= {0, 1, 3, 4, 6, 7}


def marked(*spans: tuple[str, int, int]) -> dict[str, Any]:
    return {"spans": [{"kind": kind, "start": start, "end": end, "text": ""} for kind, start, end in spans]}


def test_right_and_wrong(files: dict[str, Path]) -> None:
    (case,) = code(NAME).read_cases(files, "dev")
    assert case.inputs["text"] == "9: call Eva Maes9"
    assert case.gold == [["person", 8, 17]]
    assert grade(NAME, files, case, marked(("person", 8, 17))) == 1.0
    for wrong in (marked(), marked(("person", 8, 11)), marked(("email", 8, 17)), None):
        assert grade(NAME, files, case, wrong) == 0.0
    assert grade(NAME, files, case, marked(("person", 8, 17), ("age", 0, 1))) == 0.0
    assert failed(NAME, files, case) == 0.0


def test_nothing_to_find_is_right_when_nothing_is_found_but_not_without_an_answer() -> None:
    empty = Case(id="x", category="test", inputs={}, gold=[])
    assert grade(NAME, {}, empty, marked()) == 1.0
    assert grade(NAME, {}, empty, marked(("age", 0, 1))) == 0.0
    assert grade(NAME, {}, empty, None) == 0.0


def test_figures_by_hand() -> None:
    case = Case(id="x", category="test", inputs={}, gold=[["person", 0, 4], ["age", 6, 12]])
    found = code(NAME).metrics([(case, marked(("person", 0, 4), ("date", 8, 20)))])
    assert found == {"span_f1": 0.5, "precision": 0.5, "recall": 0.5, "hidden_characters": 0.8}
    assert code(NAME).metrics([(case, None)])["hidden_characters"] == 0.0


def test_the_real_templates() -> None:
    """From the registry's wheel; skipped where it cannot be fetched or was not yet."""
    settings, card = load_settings().settings, read_dataset_card((ROOT,), NAME)
    if not (settings.cache_dir / "datasets" / f"{card.name}-{card.data_hash[:16]}").is_dir():
        pytest.skip("presidio's templates are not in the cache")
    files = open_dataset(card, settings, cached_fetch(settings.cache_dir)).files
    splits = check_splits(NAME, files, {"test": 63, "dev": 21, "train": 126})
    for case in (case for cases in splits.values() for case in cases):
        text = case.inputs["text"]
        assert "{{" not in text
        assert all(text[start:end].strip() == text[start:end] != "" for _, start, end in case.gold)


# --- agents ---------------------------------------------------------------------------------------------


async def test_the_floor_knows_what_has_a_form() -> None:
    text = (
        "Mail a.b@c.be, call +32 476 12 34 56, card 4111 1111 1111 1111, born 3/29/1982, see https://x.eu/a"
    )
    answer = await ask_content((NAME,), "personal-data-patterns", {"text": text})
    assert [(span["kind"], span["text"]) for span in answer.output["spans"]] == [
        ("email", "a.b@c.be"),
        ("phone", "+32 476 12 34 56"),
        ("credit_card", "4111 1111 1111 1111"),
        ("date", "3/29/1982"),
        ("url", "https://x.eu/a"),
    ]
    nothing = await ask_content((NAME,), "personal-data-patterns", {"text": "Eva is 37 and has 2 cats."})
    assert nothing.output == {"spans": []}


async def test_exact_rules_and_a_generators_marks_are_joined() -> None:
    text = "My name is Eva, mail eva@maes.be in Gent"
    found = (await ask("redact", {"text": text})).output["found"]
    marks = [{"kind": "url", "start": 25, "end": 32}, {"kind": "location", "start": 36, "end": 40}]
    inputs = {"text": text, "found": found, "marked": [{**mark, "text": ""} for mark in marks]}
    answer = await ask_content((NAME,), "redacted-spans", inputs)
    assert [(span["kind"], span["text"]) for span in answer.output["spans"]] == [
        ("person", "Eva"),
        ("email", "eva@maes.be"),
        ("location", "Gent"),
    ]


def test_a_longer_name_replaces_a_part_of_it() -> None:
    joined = module(f"benchmarks/{NAME}/agents/redacted-spans/answer.py").joined
    short, long = Span("person", 4, 7), Span("person", 0, 9)
    assert joined([short], [long]) == [long]
    assert joined([long], [short]) == [long]
    assert joined([short], [Span("organization", 0, 9)]) == [short]
    assert joined([Span("email", 4, 7)], [long]) == [Span("email", 4, 7)]


def test_arms_that_are_compared_get_the_same_words() -> None:
    for pair in (("reference", "small-zero"), ("reference-few", "small-few")):
        one, other = (asks(NAME, arm) for arm in pair)
        assert one == other
