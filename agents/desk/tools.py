"""Tools of the service desk and the back office. Those that write keep a ledger in the state folder and send
nothing anywhere: connecting a real ticket system or mail server is one function in your own workspace."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from pydantic import BaseModel, ConfigDict

from orchestrator.errors import ToolError
from orchestrator.kit.amounts import parse_amount
from orchestrator.kit.ledger import Ledger
from orchestrator.tools import ToolContext, tool

# What VAT on one document may differ by when a supplier rounds per line instead of per rate.
CENT = Decimal("0.01")
# Rates in use in the Netherlands (21, 9, 0) and Belgium (21, 12, 6, 0).
VAT_RATES = (Decimal(21), Decimal(12), Decimal(9), Decimal(6), Decimal(0))


class InvoiceLine(BaseModel):
    """Amounts as the invoice writes them."""

    model_config = ConfigDict(extra="ignore")

    description: str | None = None
    quantity: str | float | None = None
    unit_price: str | float | None = None
    amount: str | float | None = None


@tool(effect="write", timeout_s=10)
def create_ticket(
    summary: str,
    context: ToolContext,
    category: str | None = None,
    language: str | None = None,
    fields: dict[str, Any] | None = None,
    passage: str | None = None,
    reply: str | None = None,
) -> dict[str, Any]:
    """Open a ticket in the service desk's ledger. The same step of the same run opens it once."""
    content = {
        "summary": summary,
        "category": category,
        "language": language,
        "fields": fields,
        "passage": passage,
        "reply": reply,
    }
    return _written(context, "tickets", "T", content)


@tool(effect="write", timeout_s=10)
def book_invoice(
    invoice_number: str,
    total: str,
    context: ToolContext,
    supplier: str | None = None,
    invoice_date: str | None = None,
    vat: str | None = None,
    currency: str = "EUR",
) -> dict[str, Any]:
    """Book an invoice in the purchase ledger. The same invoice number of the same supplier is refused."""
    content = {
        "invoice_number": invoice_number,
        "supplier": supplier,
        "invoice_date": invoice_date,
        "total": total,
        "vat": vat,
        "currency": currency,
    }
    same = [
        entry
        for entry in _ledger(context, "invoices", "B").entries()
        if (entry.get("supplier"), entry.get("invoice_number")) == (supplier, invoice_number)
    ]
    if same and same[0].get("key") != context.idempotency_key:
        raise ToolError(f"Invoice {invoice_number} of {supplier} is already booked as {same[0]['number']}.")
    return _written(context, "invoices", "B", content)


@tool(effect="write", timeout_s=10)
def send_quote(
    to: str, text: str, total: str, context: ToolContext, language: str | None = None
) -> dict[str, Any]:
    """Hand a quote over for sending: it is put in the outbox ledger, from which your mail system takes it."""
    content = {"to": to, "text": text, "total": total, "language": language}
    return _written(context, "quotes", "Q", content)


@tool()
def check_invoice(
    lines: list[InvoiceLine],
    total: str | float | None,
    subtotal: str | float | None = None,
    vat: str | float | None = None,
    vat_percent: str | float | None = None,
) -> dict[str, Any]:
    """Whether an invoice adds up to the cent: lines, subtotal, VAT (21, 12, 9, 6 or 0 %) and total."""
    problems = _line_problems(lines)
    amounts = [_line_amount(line) for line in lines]
    known = [amount for amount in amounts if amount is not None]
    lines_sum = sum(known, Decimal(0)) if known and len(known) == len(lines) else None
    stated = {"subtotal": _amount(subtotal), "vat": _amount(vat), "total": _amount(total)}
    if lines_sum is None:
        problems.append("not every line has a readable amount")
    elif stated["subtotal"] is not None and lines_sum != stated["subtotal"]:
        problems.append(f"the lines add up to {lines_sum}, the subtotal says {stated['subtotal']}")
    net = stated["subtotal"] if stated["subtotal"] is not None else lines_sum
    problems += _vat_problems(net, stated["vat"], _amount(vat_percent), len(lines))
    problems += _total_problems(net, stated["vat"], stated["total"])
    shown = {name: None if value is None else f"{value:.2f}" for name, value in stated.items()}
    return {"holds": not problems, "problems": problems, **shown}


def _line_problems(lines: list[InvoiceLine]) -> list[str]:
    problems = []
    for place, line in enumerate(lines, start=1):
        quantity, price, amount = _amount(line.quantity), _amount(line.unit_price), _amount(line.amount)
        if None in (quantity, price, amount) or quantity is None or price is None:
            continue
        product = _cents(quantity * price)
        if product != amount:
            problems.append(f"line {place}: {quantity} x {price} is {product}, the invoice says {amount}")
    return problems


def _line_amount(line: InvoiceLine) -> Decimal | None:
    amount = _amount(line.amount)
    if amount is not None:
        return amount
    quantity, price = _amount(line.quantity), _amount(line.unit_price)
    return None if quantity is None or price is None else _cents(quantity * price)


def _vat_problems(net: Decimal | None, vat: Decimal | None, percent: Decimal | None, lines: int) -> list[str]:
    """Without a stated rate any legal one will do; a supplier may round per line."""
    if net is None or vat is None:
        return []
    rates = VAT_RATES if percent is None else (percent,)
    if percent is not None and percent not in VAT_RATES:
        return [f"{percent} % is no VAT rate here"]
    if any(abs(_cents(net * rate / 100) - vat) <= CENT * max(lines - 1, 0) for rate in rates):
        return []
    wanted = " or ".join(f"{_cents(net * rate / 100)} ({rate} %)" for rate in rates)
    return [f"VAT over {net} is {wanted}, the invoice says {vat}"]


def _total_problems(net: Decimal | None, vat: Decimal | None, total: Decimal | None) -> list[str]:
    if total is None:
        return ["there is no readable total"]
    if net is None:
        return []
    wanted = net + (vat or Decimal(0))
    return [] if wanted == total else [f"subtotal and VAT make {wanted}, the invoice says {total}"]


def _amount(value: str | float | None) -> Decimal | None:
    return None if value is None else parse_amount(str(value).removesuffix("%").strip())


def _cents(value: Decimal) -> Decimal:
    """Half up, away from zero."""
    exact = Fraction(value) * 100
    whole = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
    return Decimal(-whole if exact < 0 else whole).scaleb(-2)


def _ledger(context: ToolContext, name: str, prefix: str) -> Ledger:
    return Ledger(context.state_dir / "ledgers" / f"{name}.jsonl", prefix)


def _written(context: ToolContext, name: str, prefix: str, content: dict[str, Any]) -> dict[str, Any]:
    entry, is_new = _ledger(context, name, prefix).write(context.idempotency_key, content)
    return {"number": entry["number"], "new": is_new}
