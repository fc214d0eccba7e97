"""Tools that price a request: look items up in the price list, and write the quote out.

The price list is `configs/prices.csv`; one in your own workspace replaces the built-in example. Matching is
fuzzy but exact code: the same line and list always give the same item, and a doubtful line gets no price.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from orchestrator.errors import ToolError
from orchestrator.kit.words import word_set
from orchestrator.tools import ToolContext, tool

PRICE_LIST = "configs/prices.csv"
# Declared, not calibrated: below this a match on the example list is more often wrong than right, and two
# items this close to each other cannot be told apart.
MIN_SCORE, MIN_MARGIN = 0.55, 0.04
_COLUMNS = ("sku", "name_en", "name_nl", "aliases", "unit", "unit_price", "vat_percent")


class RequestedLine(BaseModel):
    """What somebody asks for, in their own words."""

    model_config = ConfigDict(extra="ignore")

    description: str
    quantity: int | float | str | None = 1


class Item(NamedTuple):
    """One row of the price list; `names` are all the ways to say it."""

    sku: str
    names: tuple[str, ...]
    name: dict[str, str]
    unit: str
    unit_price: str
    vat_percent: str


@tool()
def look_up_prices(
    lines: list[RequestedLine], context: ToolContext, language: str | None = None
) -> dict[str, Any]:
    """Price each line from the price list, English or Dutch. A line without a clear match gets null."""
    items = read_prices(context.content_roots)
    done = [_priced(line, items, "nl" if language == "nl" else "en") for line in lines]
    unknown = [line["description"] for line in done if line["unit_price"] is None]
    return {"lines": done, "unknown": unknown, "complete": not unknown and bool(done)}


@tool()
def write_quote(
    lines: list[dict[str, Any]],
    subtotal: str | None = None,
    vat: str | None = None,
    total: str | None = None,
    customer: str | None = None,
    language: Literal["en", "nl"] | str | None = "en",
) -> dict[str, Any]:
    """Write a quote out in English or Dutch. No model touches a price."""
    words = _WORDS["nl" if language == "nl" else "en"]
    rows = [_row(line, words) for line in lines]
    totals = [f"{words[name]}: EUR {value}" for name, value in _totals(subtotal, vat, total)]
    greeting = f"{words['dear']} {customer}," if customer else f"{words['hello']},"
    parts = [greeting, words["intro"], "\n".join(rows), "\n".join(totals) or words["open"], words["closing"]]
    return {"text": "\n\n".join(parts), "total": total}


def read_prices(roots: tuple[Path, ...]) -> list[Item]:
    """The price list of the strongest workspace that has one. Raises ToolError with file and line."""
    file = next((path for root in reversed(roots) if (path := root / PRICE_LIST).is_file()), None)
    if file is None:
        raise ToolError(f"There is no price list; write one as {PRICE_LIST} in your workspace.")
    with file.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or [])]:
            raise ToolError(f"{file}:1: the column {missing[0]!r} is missing.")
        return [_item(row, file, reader.line_num) for row in reader]


def _item(row: dict[str, Any], file: Path, line: int) -> Item:
    if any(row[name] is None for name in _COLUMNS):
        raise ToolError(f"{file}:{line}: this row has too few columns.")
    aliases = [alias.strip() for alias in row["aliases"].split("|") if alias.strip()]
    return Item(
        sku=row["sku"],
        names=(row["name_en"], row["name_nl"], *aliases),
        name={"en": row["name_en"], "nl": row["name_nl"]},
        unit=row["unit"],
        unit_price=row["unit_price"],
        vat_percent=row["vat_percent"],
    )


def _priced(line: RequestedLine, items: list[Item], language: str) -> dict[str, Any]:
    item, score = best_match(line.description, items)
    return {
        "description": line.description,
        "quantity": 1 if line.quantity is None else line.quantity,
        "sku": item.sku if item else None,
        "item": item.name[language] if item else None,
        "unit": item.unit if item else None,
        "unit_price": item.unit_price if item else None,
        "vat_percent": item.vat_percent if item else None,
        "match": round(score, 3),
    }


def best_match(description: str, items: list[Item]) -> tuple[Item | None, float]:
    """The nearest item, or None when nothing is near or two are about as near."""
    scores = [max(similarity(description, name) for name in item.names) for item in items]
    order = sorted(range(len(items)), key=lambda place: (-scores[place], items[place].sku))
    if not order:
        return None, 0.0
    best = scores[order[0]]
    second = scores[order[1]] if len(order) > 1 else 0.0
    clear = best >= MIN_SCORE and best - second >= MIN_MARGIN
    return (items[order[0]] if clear else None), best


def similarity(left: str, right: str) -> float:
    """Half shared words, half shared letter triples (which forgive plurals, typos and joined words)."""
    return (
        _dice(Counter(word_set(left)), Counter(word_set(right))) + _dice(_triples(left), _triples(right))
    ) / 2


def _triples(text: str) -> Counter[str]:
    joined = "".join(character for character in text.lower() if character.isalnum())
    return Counter(joined[place : place + 3] for place in range(len(joined) - 2))


def _dice(left: Counter[str], right: Counter[str]) -> float:
    size = left.total() + right.total()
    return 2 * (left & right).total() / size if size else 0.0


def _row(line: dict[str, Any], words: dict[str, str]) -> str:
    name = line.get("item") or line["description"]
    if line.get("unit_price") is None:
        return f"- {line['quantity']} x {name}: {words['on_request']}"
    return f"- {line['quantity']} x {name} ({line['sku']}): EUR {line['unit_price']} = EUR {line['amount']}"


def _totals(subtotal: str | None, vat: str | None, total: str | None) -> list[tuple[str, str]]:
    named = (("subtotal", subtotal), ("vat", vat), ("total", total))
    return [(name, value) for name, value in named if value is not None]


_WORDS = {
    "en": {
        "dear": "Dear",
        "hello": "Hello",
        "intro": "Thank you for your request. We offer you the following, valid for 30 days:",
        "on_request": "price on request",
        "subtotal": "Subtotal",
        "vat": "VAT",
        "total": "Total",
        "open": "The total follows once every price is known.",
        "closing": "Kind regards,\nSales",
    },
    "nl": {
        "dear": "Beste",
        "hello": "Hallo",
        "intro": "Bedankt voor uw aanvraag. Wij bieden u het volgende aan, 30 dagen geldig:",
        "on_request": "prijs op aanvraag",
        "subtotal": "Subtotaal",
        "vat": "Btw",
        "total": "Totaal",
        "open": "Het totaal volgt zodra elke prijs bekend is.",
        "closing": "Met vriendelijke groet,\nVerkoop",
    },
}
