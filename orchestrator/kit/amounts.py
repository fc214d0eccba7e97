"""Amounts of money as people write them, Dutch or English: `€ 1.234,50`, `EUR 1,234.50`, `99,-`, `-12`."""

from __future__ import annotations

import re
from decimal import Decimal

_NOISE = re.compile(r"(?i)\beur(?:o)?|[€$£]|[.,]-+$|(?<=\d)[\s\u00a0\u202f](?=\d{3}(?!\d))")
_SHAPE = re.compile(r"[+-]?\d{1,3}(?:([.,'])\d{3})(?:\1\d{3})*(?:[.,]\d{1,4})?|[+-]?\d+(?:[.,]\d{1,4})?")


def parse_amount(text: str | float) -> Decimal | None:
    """The amount, or None when the text is no single amount.

    A last mark before exactly three digits parts thousands (`1.234` and `1,234` are 1234), because prices
    seldom have three decimals; any other last mark parts the decimals.
    """
    compact = _NOISE.sub("", str(text).strip()).strip()
    if not _SHAPE.fullmatch(compact):
        return None
    head, mark, tail = _split_at_last_mark(compact)
    whole = re.sub(r"[.,']", "", head)
    return Decimal(whole + tail) if not mark or len(tail) == 3 else Decimal(f"{whole}.{tail}")


def _split_at_last_mark(text: str) -> tuple[str, str, str]:
    place = max(text.rfind("."), text.rfind(","), text.rfind("'"))
    return (text, "", "") if place < 0 else (text[:place], text[place], text[place + 1 :])
