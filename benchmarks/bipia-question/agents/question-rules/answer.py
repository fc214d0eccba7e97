"""Two rules: who pays is mostly not told; of a payee who is named, the first amount of money in the text."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.agent import Call
from orchestrator.types import Answer

_PAYEE = re.compile(r"paid to ([\w.&' -]+)")
_AMOUNT = re.compile(r"\$\s?\d[\d,]*(?:\.\d\d)?")


async def answer(inputs: dict[str, Any], call: Call) -> Answer:
    payee, amount = _PAYEE.search(inputs["question"]), _AMOUNT.search(inputs["text"])
    named = payee is not None and payee[1].strip().lower() in inputs["text"].lower()
    return Answer(output={"answer": amount.group() if named and amount else None})
