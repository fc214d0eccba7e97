"""The built-in workflows through the controller, with a fake model in place of every real one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.controller import Controller, open_controller
from orchestrator.settings import Settings
from orchestrator.types import ApprovalAsked, Json, RunDone, RunResult, Step, StepDone, Task
from orchestrator.workspace import Workspace
from tests.agents.crew import fake_card, workspace

PRINTER = "Dear helpdesk,\nThe printer has a paper jam. Call 06-12345678.\nKind regards,\nEmma Clarke"


@asynccontextmanager
async def crew(folder: Path, **options: Any) -> AsyncIterator[Controller]:
    """The built-in content with one scripted model; the real ones count as not installed."""
    (folder / "models").mkdir()
    (folder / "models" / "fake.yaml").write_text(json.dumps(fake_card(**options)))
    settings = Settings(cache_dir=folder / "cache", state_dir=folder / "state")
    async with open_controller(Workspace((*workspace().roots, folder)), settings) as controller:
        yield controller


async def run(
    controller: Controller, name: str, given: Json, *, approve: bool | None = True
) -> tuple[RunResult, dict[str, Step]]:
    async def answer(asked: ApprovalAsked) -> bool:
        return bool(approve)

    steps: dict[str, Step] = {}
    task = Task(workflow=name, input=given)
    async for event in controller.run(task, approve=None if approve is None else answer):
        if isinstance(event, StepDone):
            steps[event.step.subtask] = event.step
        elif isinstance(event, RunDone):
            result = event.result
    return result, steps


def ledger(folder: Path, name: str) -> list[str]:
    file = folder / "state" / "ledgers" / f"{name}.jsonl"
    return file.read_text().splitlines() if file.is_file() else []


# --- service-desk ---------------------------------------------------------------------------------------


async def test_a_message_becomes_a_ticket_without_personal_data(tmp_path: Path) -> None:
    async with crew(tmp_path) as controller:
        result, steps = await run(controller, "service-desk", {"text": PRINTER})
    assert result.status == "completed"
    assert result.answer["category"] == "printer"
    assert result.answer["ticket"] == "T-00001"
    (line,) = ledger(tmp_path, "tickets")
    assert "Emma" not in line
    assert "06-12345678" not in line
    assert "[PHONE_1]" in line
    assert set(steps) == {"redact", "language", "triage", "find", "fields", "draft", "ticket"}


@pytest.mark.parametrize(("approve", "status"), [(False, "completed"), (None, "input-required")])
async def test_no_ticket_without_a_yes(tmp_path: Path, approve: bool | None, status: str) -> None:
    async with crew(tmp_path) as controller:
        result, _ = await run(controller, "service-desk", {"text": PRINTER}, approve=approve)
    assert result.status == status
    assert ledger(tmp_path, "tickets") == []


async def test_a_failing_model_still_leaves_a_ticket(tmp_path: Path) -> None:
    """The fields are optional; this model writes no JSON at all."""
    async with crew(tmp_path, reply="[NAME]") as controller:
        result, steps = await run(controller, "service-desk", {"text": PRINTER})
    assert steps["fields"].status == "failed"
    assert result.status == "completed"
    assert result.answer["fields"] is None
    assert len(ledger(tmp_path, "tickets")) == 1


# --- tool-use -------------------------------------------------------------------------------------------

TOOLS = [
    {
        "name": "get_weather",
        "description": "Get the weather forecast for a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
    {"name": "lamp_off", "description": "Switch the lamp off."},
]


async def test_the_chosen_tools_definition_reaches_call_tool(tmp_path: Path) -> None:
    given = {"text": "get the weather forecast for the city of Ghent", "tools": TOOLS}
    async with crew(tmp_path, reply='{"city": "Ghent"}') as controller:
        result, _ = await run(controller, "tool-use", given)
    assert result.answer == {"call": {"name": "get_weather", "arguments": {"city": "Ghent"}}}


async def test_no_tool_means_no_call(tmp_path: Path) -> None:
    async with crew(tmp_path) as controller:
        result, steps = await run(controller, "tool-use", {"text": "bake a cake", "tools": TOOLS})
    assert result.status == "completed"
    assert result.answer == {"call": None}
    assert steps["call"].status == "skipped"


# --- quote and invoice ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "total", "sent"), [("docking station", "544.32", "Q-00001"), ("espresso machine", None, None)]
)
async def test_only_a_complete_quote_is_sent(
    tmp_path: Path, wanted: str, total: str | None, sent: str | None
) -> None:
    reply = json.dumps({"lines": [{"quantity": 3, "description": wanted}]})
    async with crew(tmp_path, reply=reply) as controller:
        given = {"text": f"A quote for 3 {wanted} please", "to": "a@example.com"}
        result, _ = await run(controller, "quote", given)
    assert result.status == "completed"
    assert result.answer["total"] == total
    assert result.answer["sent"] == sent
    assert len(ledger(tmp_path, "quotes")) == (1 if sent else 0)


INVOICE = """Acme
Invoice F1
2 x chair 50.00 100.00
Subtotal 100.00
VAT 21% 21.00
Total {total}"""


@pytest.mark.parametrize(("total", "booked"), [("121.00", "B-00001"), ("212.00", None)])
async def test_only_an_invoice_that_adds_up_is_booked(tmp_path: Path, total: str, booked: str | None) -> None:
    line = {"quantity": "2", "description": "chair", "unit_price": "50.00", "amount": "100.00"}
    read = {"supplier": "Acme", "invoice_number": "F1", "invoice_date": None, "lines": [line]}
    reply = json.dumps({**read, "subtotal": "100.00", "vat": "21.00", "total": total})
    async with crew(tmp_path, reply=reply) as controller:
        result, _ = await run(controller, "invoice", {"text": INVOICE.format(total=total)})
    assert result.status == "completed"
    assert result.answer["booked"] == booked
    assert result.answer["holds"] is (booked is not None)
    assert len(ledger(tmp_path, "invoices")) == (1 if booked else 0)
