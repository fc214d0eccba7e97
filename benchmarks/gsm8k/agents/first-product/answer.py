"""Multiply the first two numbers: what somebody would do who does not read the problem."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from orchestrator.agent import Call
from orchestrator.types import Answer

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    numbers = [Decimal(found.replace(",", "")) for found in _NUMBER.findall(inputs["text"])[:2]]
    product = numbers[0] * numbers[1] if len(numbers) == 2 else Decimal(0)
    return Answer(output={"result": str(product)})
