"""Three hundred identifiers of people are put into logged texts; how many reach what is learnt from.

Names are those of presidio-evaluator's 3,000 invented people, of 37 nations; one in eight is written without
a capital. Numbers are drawn with right checksums. Sentences are of a service desk, in English and Dutch.
"""

from __future__ import annotations

import csv
import random
import re
from typing import Any

import pytest

from orchestrator.bench.data import cached_fetch, open_dataset, read_dataset_card
from orchestrator.learning.scrub import Raw, scrub
from orchestrator.settings import load_settings
from orchestrator.types import Learns
from tests.bench.families.helpers import ROOT

LEARNS = Learns(kind="label", answer="label", choices="labels", fixed=("labels",))
NAMED = (
    "Can {name} in accounts get a new key card? See {n}",
    "{name} left the company yesterday, please close the account {n}.",
    "Invoice {n} should go to {name} and not to me",
    "I spoke with {name} about server {n}, it is too hot.",
    "Kan {name} een nieuwe laptop krijgen, bestelling {n}?",
    "Mijn collega {name} krijgt geen mail meer op toestel {n}.",
    "Volgens {name} moet licentie {n} verlengd worden.",
    "De afspraak met {name} over {n} is verzet naar dinsdag",
)
NUMBERED = (
    "Please use {it} from now on for {n}.",
    "My old one was wrong, it is {it}, ticket {n}",
    "Ik ben over {n} te bereiken op {it}",
    "Graag aanpassen naar {it} in systeem {n}",
)


def iban(random_: random.Random) -> str:
    """Of a Dutch bank, ISO 13616: the whole is 1 modulo 97."""
    account = f"{random_.randrange(10**10):010}"
    digits = "".join(str(int(letter, 36)) for letter in f"INGB{account}NL00")
    text = f"NL{98 - int(digits) % 97:02}INGB{account}"
    return " ".join(re.findall(".{1,4}", text)) if random_.random() < 0.5 else text


def bsn(random_: random.Random) -> str:
    """Nine digits, weighted 9 to 2 and -1, sum to a multiple of eleven."""
    while True:
        digits = [random_.randrange(10) for _ in range(9)]
        if (
            sum(d * w for d, w in zip(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True)) % 11 == 0
            and digits[0]
        ):
            return "".join(map(str, digits))


def phone(random_: random.Random) -> str:
    return random_.choice(["06 {:08}", "+31 6 {:08}", "0475 {:06}", "+32 475 {:06}"]).format(
        random_.randrange(10**5, 10**6)
    )


@pytest.fixture(scope="module")
def people() -> list[tuple[str, str, str]]:
    """(given name, surname, mail) of each; fetched once, and checked by its hash."""
    settings, card = load_settings().settings, read_dataset_card((ROOT,), "presidio")
    files = open_dataset(card, settings, cached_fetch(settings.cache_dir)).files
    with files["people.csv"].open(encoding="utf-8-sig", newline="") as stream:
        return [(r["GivenName"], r["Surname"], r["EmailAddress"]) for r in csv.DictReader(stream)]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_hardly_a_name_and_no_number_gets_through(
    people: list[tuple[str, str, str]], redact: Any, seed: int
) -> None:
    random_ = random.Random(seed)
    chosen = random_.sample(people, 140)
    names = [f"{given} {surname}" for given, surname, _ in chosen[:100]]
    shown = [name.lower() if number % 8 == 0 else name for number, name in enumerate(names)]
    numbers = [
        *(mail for _, _, mail in chosen[100:]),
        *(made(random_) for made in (phone, iban, bsn, phone) for _ in range(40)),
    ]
    assert len(shown) + len(numbers) == 300
    texts = [random_.choice(NAMED).format(name=name, n=f"A{number}") for number, name in enumerate(shown)]
    texts += [random_.choice(NUMBERED).format(it=it, n=f"B{number}") for number, it in enumerate(numbers)]
    examples, report = await scrub([Raw(t, "it", "large", "r/0") for t in texts], LEARNS, redact)
    learnt = "\n".join(example.text for example in examples)
    assert [number for number in numbers if number in learnt] == []
    through = [name for name in shown if any(is_in(part, learnt) for part in name.split())]
    assert (report.seen, report.kept) == (300, 300)
    assert len(through) <= 2, through  # of 100


def is_in(part: str, learnt: str) -> bool:
    """As a word of its own; particles say nothing about anybody."""
    return part.lower() not in PARTICLES and bool(re.search(rf"(?<!\w){re.escape(part)}(?!\w)", learnt))


PARTICLES = {"van", "de", "der", "den", "het", "'t", "la", "le", "el", "al", "da", "di", "von"}
