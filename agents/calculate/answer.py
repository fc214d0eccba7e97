"""Exact arithmetic with fractions. Nothing is evaluated by Python: the syntax tree is walked by hand.

Money is rounded half up to cents, as Dutch and Belgian invoices do: each line on its own, and VAT once per
rate over the rounded lines. The limits on length, depth and exponents are there because `9**9**9` is seven
characters long and would never end.
"""

from __future__ import annotations

import ast
import operator
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

from orchestrator.agent import Call
from orchestrator.errors import InvalidInput
from orchestrator.types import Answer

MAX_CHARACTERS, MAX_DEPTH, MAX_BITS = 1_000, 50, 4_096
# A fraction that does not end (1/3) is written with this many significant digits, and said to be rounded.
SIGNIFICANT_DIGITS = 28
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%(?!\s*[\d(.])")
_SIGNS = str.maketrans({"×": "*", "÷": "/", "−": "-", "·": "*"})
_BINARY: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: lambda left, right: Fraction(left // right),
    ast.Mod: operator.mod,
}


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    if "lines" in inputs:
        return Answer(output=add_up(inputs["lines"], inputs.get("vat_percent")))
    value = evaluate(inputs["expression"])
    text, exact = written(value, inputs.get("decimals"))
    return Answer(output={"result": text, "exact": exact})


# --- expressions ----------------------------------------------------------------------------------------


def evaluate(expression: str) -> Fraction:
    """The exact value. Raises InvalidInput with what is not understood or too large."""
    if len(expression) > MAX_CHARACTERS:
        raise InvalidInput(f"The expression has {len(expression)} characters; at most {MAX_CHARACTERS}.")
    text = _PERCENT.sub(r"(\1/100)", expression.translate(_SIGNS)).strip()
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise _refused(expression, "is no arithmetic", "Write it like (2 * 3.50 + 4) * 1.21.") from None
    try:
        return _value(tree.body, text, 0)
    except ZeroDivisionError:
        raise _refused(expression, "divides by zero") from None


def _value(node: ast.expr, text: str, depth: int) -> Fraction:
    if depth > MAX_DEPTH:
        raise _refused(text, f"is nested deeper than {MAX_DEPTH}")
    if isinstance(node, ast.Constant):
        return _number(node, text)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand, text, depth + 1)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        return _binary(node, text, depth)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _function(node.func.id, [_value(item, text, depth + 1) for item in node.args], text)
    hint = "Write a decimal point, not a comma: 3.50." if isinstance(node, ast.Tuple) else None
    raise _refused(text, f"holds something that is no arithmetic ({type(node).__name__})", hint)


def _number(node: ast.Constant, text: str) -> Fraction:
    """From the digits as they are written: going through a float would lose what 0.1 means."""
    digits = ast.get_source_segment(text, node) or ""
    if isinstance(node.value, bool) or not re.fullmatch(r"[\d_]*\.?[\d_]+|[\d_]+\.", digits):
        raise _refused(text, f"holds {digits!r}, which is no plain number")
    return _bounded(Fraction(digits.replace("_", "").rstrip(".")), text)


def _binary(node: ast.BinOp, text: str, depth: int) -> Fraction:
    left, right = _value(node.left, text, depth + 1), _value(node.right, text, depth + 1)
    if isinstance(node.op, ast.Pow):
        return _power(left, right, text)
    apply = _BINARY.get(type(node.op))
    if apply is None:
        hint = "A power is written **." if isinstance(node.op, ast.BitXor) else None
        raise _refused(text, f"uses an unknown operator ({type(node.op).__name__})", hint)
    return _bounded(apply(left, right), text)


def _power(base: Fraction, exponent: Fraction, text: str) -> Fraction:
    """Refused before it is computed: the size of a power is known from the size of its parts."""
    if exponent.denominator != 1:
        raise _refused(text, "takes a root, which has no exact value in general")
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if size > 1 and size * abs(exponent) > MAX_BITS:
        raise _refused(text, "has a power that is too large")
    return base ** int(exponent)


def _function(name: str, values: list[Fraction], text: str) -> Fraction:
    if name == "round" and len(values) in (1, 2) and (len(values) == 1 or 0 <= values[1] <= 20):
        places = int(values[1]) if len(values) == 2 else 0
        return Fraction(rounded(values[0], places))
    if name == "abs" and len(values) == 1:
        return abs(values[0])
    if name in ("min", "max") and values:
        return min(values) if name == "min" else max(values)
    raise _refused(text, f"calls {name!r} in a way that is not known", "There is: min, max, abs, round.")


def _bounded(value: Fraction, text: str) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise _refused(text, "makes a number that is too large")
    return value


def _refused(expression: str, problem: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput(f"The expression {expression[:80]!r} {problem}.", hint=hint)


# --- money ----------------------------------------------------------------------------------------------


def add_up(lines: list[dict[str, Any]], default_vat: float | str | None) -> dict[str, Any]:
    """Amounts per line, VAT per rate, and the total; null wherever a price is unknown."""
    done: list[dict[str, Any]] = []
    missing: list[str] = []
    by_rate: defaultdict[Fraction, Decimal] = defaultdict(Decimal)
    for line in lines:
        amount = None
        if line["unit_price"] is None:
            missing.append(str(line.get("description", f"line {len(done) + 1}")))
        else:
            amount = rounded(_amount(line["quantity"]) * _amount(line["unit_price"]), 2)
            by_rate[_rate(line, default_vat)] += amount
        done.append({**line, "amount": None if amount is None else f"{amount:.2f}"})
    subtotal = sum(by_rate.values(), Decimal(0))
    vat = sum((rounded(Fraction(net) * rate / 100, 2) for rate, net in by_rate.items()), Decimal(0))
    totals = {"subtotal": subtotal, "vat": vat, "total": subtotal + vat}
    shown = {name: None if missing else f"{value:.2f}" for name, value in totals.items()}
    return {"result": shown["total"], "exact": True, "lines": done, **shown, "missing": missing}


def _rate(line: Mapping[str, Any], default_vat: float | str | None) -> Fraction:
    given = line.get("vat_percent")
    given = default_vat if given is None else given
    return Fraction(0) if given is None else _amount(given)


def _amount(value: float | str) -> Fraction:
    """`str` first: the shortest decimal that a float prints as is the one that was meant."""
    try:
        return Fraction(Decimal(str(value)))
    except (ArithmeticError, ValueError):
        raise InvalidInput(f"{value!r} is no amount.", hint="Write it like 1250.50.") from None


# --- writing --------------------------------------------------------------------------------------------


def rounded(value: Fraction, places: int) -> Decimal:
    """Half up, away from zero for negative values, from the exact fraction."""
    scaled = abs(value) * 10**places
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    with localcontext() as context:
        context.prec = MAX_BITS
        return Decimal(-whole if value < 0 else whole).scaleb(-places)


def written(value: Fraction, decimals: int | None) -> tuple[str, bool]:
    """The decimal text, and whether it is the exact value."""
    if decimals is not None:
        result = rounded(value, decimals)
        return f"{result:f}", Fraction(result) == value
    with localcontext() as context:
        context.prec = MAX_BITS if _ends(value.denominator) else SIGNIFICANT_DIGITS
        context.rounding = ROUND_HALF_UP
        result = Decimal(value.numerator) / Decimal(value.denominator)
    return f"{result:f}", Fraction(result) == value


def _ends(denominator: int) -> bool:
    """Only twos and fives below the line give a decimal that ends."""
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1
