"""What specialists for benchmarks are trained with: nothing that is measured, as the agent would see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bench.cases import Case
from orchestrator.bench.data import cached_fetch, open_dataset, read_dataset_card
from orchestrator.bench.rows import rows_of
from orchestrator.kit.spans import part_of
from orchestrator.settings import load_settings
from tests.bench.families.helpers import ROOT, ask_content, code, module, real_files

RECEIPT = """KEDAI BUKU SDN BHD
12, JALAN MERAH,
81100 JOHOR
DATE: 25/12/2018 8:13 PM
SUB TOTAL 12.00
TOTAL RM
12.00
CASH 12.00"""


def texts(rows: list[Any], split: str) -> set[str]:
    return {row["text"].lower() for row in rows if row["split"] == split}


@pytest.mark.parametrize(
    ("name", "data", "dev", "trained"),
    [
        ("snips", "snips", "dev", 13_064),
        ("snips-intents", "snips", "dev", 13_064),
        ("sroie", "sroie", "dev", 251 * 3),
        ("seal-calls", "seal-tools", "dev-single", 572),
        ("ultratool-plans", "ultratool-plans", "dev", 2_711),
    ],
)
def test_no_training_row_is_measured_or_chosen_by(name: str, data: str, dev: str, trained: int) -> None:
    test = {"seal-calls": "any"}.get(name, "test")
    rows = rows_of(code(name), real_files(data), dev, [test])
    assert sum(row["split"] == "train" for row in rows) == trained
    assert not texts(rows, "train") & (texts(rows, "dev") | texts(rows, "test"))


def test_presidio_s_sentences_are_filled_in_many_times_with_other_people() -> None:
    settings, card = load_settings().settings, read_dataset_card((ROOT,), "presidio")
    if not (settings.cache_dir / "datasets" / f"{card.name}-{card.data_hash[:16]}").is_dir():
        pytest.skip("presidio's templates are not in the cache")
    files = open_dataset(card, settings, cached_fetch(settings.cache_dir)).files
    rows = rows_of(code("presidio"), files, "dev", ["test"])
    train = [row for row in rows if row["split"] == "train"]
    assert len(train) == 126 * 8
    names = [{p["text"] for row in train[n * 126 : n * 126 + 126] for p in row["label"]} for n in (0, 1)]
    assert len(names[0] - names[1]) > 150
    assert not texts(rows, "train") & (texts(rows, "dev") | texts(rows, "test"))


def test_the_fields_of_a_receipt_are_marked_where_they_stand() -> None:
    gold = {
        "company": "Kedai Buku Sdn. Bhd.",
        "date": "25 DEC 2018",
        "address": "12 JALAN MERAH 81100 JOHOR",
        "total": "12",
    }
    lesson = code("sroie").lesson(Case(id="1", category="train", inputs={"text": RECEIPT}, gold=gold))
    # Of the three amounts two stand where a total is announced, and cash is not one of them.
    assert [(part["kind"], part["text"]) for part in lesson["label"]] == [
        ("company", "KEDAI BUKU SDN BHD"),
        ("address", "12, JALAN MERAH,\n81100 JOHOR"),
        ("date", "25/12/2018"),
        ("total", "12.00"),
        ("total", "12.00"),
    ]
    missing = {"company": None, "date": None, "address": "9 OTHER ROAD", "total": "7.50"}
    nothing = code("sroie").lesson(Case(id="1", category="train", inputs={"text": RECEIPT}, gold=missing))
    assert nothing["label"] == []


async def test_fields_are_taken_from_marked_parts() -> None:
    parts = [
        ("company", "A"),
        ("address", "1 A"),
        ("address", "1 A Road"),
        ("date", "1/2/18"),
        ("date", "x"),
    ]
    text = "A, 1 A, 1 A Road, 1/2/18, x"
    spans = [part_of(text, kind, text.index(words), text.index(words) + len(words)) for kind, words in parts]
    answer = await ask_content(("sroie",), "receipt-of-parts", {"text": text, "spans": spans})
    assert answer.output == {"company": "A", "date": "1/2/18", "address": "1 A Road", "total": None}


@pytest.mark.parametrize(
    ("kind", "marked", "whole"),
    [
        ("total", "16.", "16.50"),
        ("total", "50", "16.50"),
        ("total", "RM96", "RM96.20"),
        ("total", "16.50", "16.50"),
        ("date", "2017", "12/28/2017"),
        ("date", "MAY 18", "MAY 18"),
        ("company", "TEA", "TEA"),
    ],
)
async def test_a_number_that_was_marked_in_part_is_taken_whole(kind: str, marked: str, whole: str) -> None:
    text = "TEA.LEAF 12/28/2017: 5 MAY 18,\nTOTAL 16.50\nCASH RM96.20."
    start = text.index(marked)
    spans = [part_of(text, kind, start, start + len(marked))]
    answer = await ask_content(("sroie",), "receipt-of-parts", {"text": text, "spans": spans})
    assert answer.output[kind] == whole


@pytest.mark.parametrize(
    ("lines", "said", "total"),
    [
        ("TOTAL|CASH|CHANGE|9.90|-20.00|10.10", None, "9.90"),
        ("TOTAL|CASH|CHANGE|9.90|-20.00|10.10", "20.00", "9.90"),  # what was paid is not the total
        ("NET 15.57|GST 0.93|TOTAL 16.50|CASH 50.00|CHANGE 33.50", "16.50", "16.50"),
        ("NET 15.57|GST 0.93|TOTAL 16.50|CASH 50.00|CHANGE 33.50", None, "16.50"),
        ("TOTAL 4.00|CASH 4.00|CHANGE 0.00", None, "4.00"),
        ("TOTAL 1,200.50|CASH 1,300.00|BAKI 99.50", None, "1,200.50"),
        ("NET 15.57|GST 0.93|TOTAL 16.50", None, None),  # no change is named: not a sum of what was paid
        ("TOTAL 9.90|CASH 20.00|CHANGE 10.00", "9.90", "9.90"),  # it does not add up: what was said stays
        ("CHANGE|NO 12 MAIN ROAD", "7.00", "7.00"),
    ],
)
async def test_a_total_is_held_against_what_was_paid(lines: str, said: str | None, total: str | None) -> None:
    given = {"text": lines.replace("|", "\n"), **({"total": said} if said else {})}
    assert (await ask_content(("sroie",), "total-by-sum", given)).output == {"total": total}


def test_copies_of_a_receipt_have_the_shop_and_the_address_of_another() -> None:
    score, files = code("sroie"), real_files("sroie")
    cases = list(score.training(files) or ())
    mine, copies = cases[:251], (cases[251:502], cases[502:])
    for copied in copies:
        changed = [a.gold["company"] != b.gold["company"] for a, b in zip(mine, copied, strict=True)]
        assert sum(changed) > 180
        assert all(a.gold["total"] == b.gold["total"] for a, b in zip(mine, copied, strict=True))
    for case, copy in zip(mine, copies[0], strict=True):
        if case.gold["company"] != copy.gold["company"]:
            shops = [part["text"] for part in score.lesson(copy)["label"] if part["kind"] == "company"]
            assert [letters(shop) for shop in shops] == [letters(copy.gold["company"])]


def letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def test_numbers_are_learnt_as_their_tool_declares_them() -> None:
    kinds = {
        "many": {"type": "int"},
        "price": {"type": "float"},
        "to": {"type": "str"},
        "odd": {"type": "int"},
    }
    tools = [{"name": "order", "parameters": {"properties": kinds}}]
    written = {"many": "3", "price": "2.50", "to": "12", "odd": "a few", "new": "1"}
    gold = [{"name": "order", "arguments": written}]
    case = Case(id="1", category="train", inputs={"text": "x", "tools": tools}, gold=gold)
    (call,) = code("seal-calls").lesson(case)["label"]
    assert call["arguments"] == {"many": 3, "price": 2.5, "to": "12", "odd": "a few", "new": "1"}


def test_rows_for_a_dutch_specialist_hold_no_original_of_a_measured_sentence() -> None:
    real_files("snips")
    xsid, dutch = real_files("xsid"), module("benchmarks/xsid/dutch.py")
    made = list(dutch.sentences(load_settings().settings))
    measured = module("benchmarks/xsid/score.py").originals(xsid)
    assert not {sentence.text.lower() for sentence in made} & measured
    labels = set(code("xsid").read_cases(xsid, "nl")[0].inputs["labels"])
    assert {sentence.label for sentence in made} < labels
    assert {sentence.split for sentence in made} == {"train", "dev"}
    translated = [sentence for sentence in made if sentence.translate]
    assert 600 < len(translated) < len(made)
    by_text = {sentence.text for sentence in translated}
    assert len(by_text) > 0.95 * len(translated)


def test_an_intent_has_the_same_requests_as_its_slots() -> None:
    files = real_files("snips")
    slots, intents = (code(name).read_cases(files, "dev") for name in ("snips", "snips-intents"))
    assert [case.inputs["text"] for case in slots] == [case.inputs["text"] for case in intents]
    assert len({case.gold for case in intents}) == 7


def test_what_is_shown_of_intents_is_not_measured(tmp_path: Path) -> None:
    files = real_files("snips")
    code("snips-intents").materials(files, tmp_path)
    lines = (tmp_path / "examples.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 3500
    measured = {c.inputs["text"] for c in code("snips-intents").read_cases(files, "test")}
    assert not {json.loads(line)["text"] for line in lines} & measured


@pytest.mark.parametrize(("dev", "learnt", "chosen_by"), [("val", {"t"}, 12), ("val-fifth", {"t", "v"}, 3)])
def test_clinc150_learns_from_the_validation_rows_by_which_it_is_not_chosen(
    dev: str, learnt: set[str], chosen_by: int, tmp_path: Path
) -> None:
    data: dict[str, list[list[str]]] = {
        f"{oos}{split}": [] for oos in ("", "oos_") for split in ("train", "val", "test")
    }
    data |= {"train": [["t1", "fine"]], "oos_train": [["t2", "oos"]], "test": [["e1", "fine"]]}
    data |= {"val": [[f"v{n}", "fine"] for n in range(10)], "oos_val": [["v10", "oos"], ["v11", "oos"]]}
    file = tmp_path / "data_full.json"
    file.write_text(json.dumps(data), "utf-8")
    rows = rows_of(code("clinc150"), {file.name: file}, dev, ["test"])
    assert len(texts(rows, "dev")) + len(texts(rows, "train")) == 14
    assert not texts(rows, "dev") & texts(rows, "train")
    assert {text[0] for text in texts(rows, "train")} == learnt
    assert len(texts(rows, "dev")) == chosen_by
    assert texts(rows, "test") == {"e1"}
