"""The agents that write: what they ask for, what they make of it, and what their checks refuse."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import ModelError, Truncated
from orchestrator.planning import catalogue, plan_schema
from tests.agents.crew import ask, refused, says, session, toolbox, workspace

ALARM: dict[str, Any] = {
    "name": "set_alarm",
    "description": "Set an alarm.",
    "parameters": {
        "type": "dict",
        "properties": {
            "time": {"type": "string", "description": "HH:MM"},
            "repeat": {"type": "integer", "description": "How often; defaults to 3."},
            "volume": {"type": "float"},
        },
        "required": ["time"],
    },
}
LAMP: dict[str, Any] = {"name": "lamp_off", "description": "Switch the lamp off."}


# --- call-tool ------------------------------------------------------------------------------------------


async def test_call_tool_asks_for_the_arguments_only_and_adds_the_name() -> None:
    model = says({"time": "07:30"})
    asked = await ask("call-tool", {"text": "Wake me at 07:30", "tool": ALARM}, model)
    assert asked.output == {"name": "set_alarm", "arguments": {"time": "07:30"}}
    assert not asked.refused
    request = model.requests[0]
    assert request.json_schema is not None
    assert request.json_schema["properties"]["volume"] == {"type": "number"}
    assert "- volume (number, optional)" in request.messages[-1].content


async def test_call_tool_leaves_out_what_the_text_does_not_mention() -> None:
    model = says({"time": "07:30", "repeat": 5, "volume": 3})
    asked = await ask("call-tool", {"text": "Wake me at 07:30, volume 3", "tool": ALARM}, model)
    assert asked.output["arguments"] == {"time": "07:30", "volume": 3.0}


async def test_call_tool_needs_no_model_for_a_tool_without_arguments() -> None:
    asked = await ask("call-tool", {"text": "lamp off", "tool": LAMP}, session())
    assert asked.output == {"name": "lamp_off", "arguments": {}}


async def test_a_cut_off_call_is_an_error_and_not_an_answer() -> None:
    with pytest.raises(Truncated):
        await ask("call-tool", {"text": "x", "tool": ALARM}, session(['{"time": "a b c d"}'], truncate=True))


async def test_a_call_that_is_no_json_is_an_error() -> None:
    with pytest.raises(ModelError, match="not JSON"):
        await ask("call-tool", {"text": "x", "tool": ALARM}, session(["sorry, no"]))


@pytest.mark.parametrize(
    ("arguments", "check"),
    [
        ({}, "arguments_fit"),
        ({"time": ""}, "arguments_fit"),
        ({"time": "07:30", "color": "red"}, "arguments_fit"),
        ({"time": "HH:MM", "repeat": "often"}, "arguments_fit"),
        ({"time": "<time>"}, "no_placeholder"),
        ({"time": "time"}, "no_placeholder"),
        ({"time": "07:30", "repeat": 9}, "numbers_from_text"),
        ({"time": "08:45"}, "words_from_text"),
        ({"time": "tomorrow evening late"}, "words_from_text"),
    ],
)
def test_wrong_calls_are_caught(arguments: dict[str, Any], check: str) -> None:
    inputs = {"text": "Wake me at 07:30", "tool": ALARM}
    assert check in refused("call-tool", inputs, {"name": "set_alarm", "arguments": arguments})


def test_a_right_call_passes_every_check() -> None:
    inputs = {"text": "Wake me at 07:30 and repeat twice", "tool": ALARM}
    output = {"name": "set_alarm", "arguments": {"time": "07:30", "repeat": 2}}
    assert refused("call-tool", inputs, output) == {}


# --- use-tool -------------------------------------------------------------------------------------------


async def test_use_tool_may_call_any_tool_or_none() -> None:
    inputs = {"text": "Wake me at 07:30", "tools": [ALARM, LAMP]}
    model = says({"name": "set_alarm", "arguments": {"time": "07:30", "repeat": 5}})
    asked = await ask("use-tool", inputs, model)
    assert asked.output == {"name": "set_alarm", "arguments": {"time": "07:30"}}
    assert len((model.requests[0].json_schema or {})["anyOf"]) == 3
    none = await ask("use-tool", inputs, says({"name": None}))
    assert none.output == {"name": None, "arguments": {}}
    assert not none.refused


def test_use_tool_has_the_checks_of_call_tool() -> None:
    inputs = {"text": "Wake me at 07:30", "tools": [ALARM]}
    wrong = {"name": "set_alarm", "arguments": {"time": "<time>", "repeat": 9}}
    assert {"no_placeholder", "numbers_from_text"} <= set(refused("use-tool", inputs, wrong))
    assert "arguments_fit" in refused("use-tool", inputs, {"name": "other", "arguments": {}})


def test_both_ways_to_call_a_tool_give_the_same_instructions() -> None:
    one, all_at_once = (workspace().agent(name).system for name in ("call-tool", "use-tool"))
    assert one is not None
    assert all_at_once is not None
    assert one.splitlines()[1] == all_at_once.splitlines()[1]


# --- extract-fields -------------------------------------------------------------------------------------

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "company": {"type": ["string", "null"], "description": "who sends it"},
        "total": {"type": "number"},
        "date": {"type": "string"},
        "kind": {"enum": ["invoice", "quote"]},
    },
    "required": ["company", "total", "date", "kind"],
    "additionalProperties": False,
}
LETTER = "Acme  Corp sends you the total of 1.250,00 on 3 mei 2026."


async def test_extract_fields_is_held_to_the_users_schema() -> None:
    value = {"company": "Acme Corp", "total": 1250, "date": "2026-05-03", "kind": "invoice"}
    model = says(value)
    asked = await ask(
        "extract-fields", {"text": LETTER, "schema": SCHEMA, "instructions": "Be exact."}, model
    )
    assert asked.output == value
    assert not asked.refused
    assert model.requests[0].json_schema == SCHEMA
    prompt = model.requests[0].messages[-1].content
    assert "- company (string or null): who sends it" in prompt
    assert "Be exact." in prompt


@pytest.mark.parametrize(
    ("field", "value"), [("company", "Acme Ltd"), ("total", 1251), ("date", "2026-05-04")]
)
def test_a_value_that_is_not_in_the_text_is_refused(field: str, value: object) -> None:
    output = {"company": None, "total": 1250, "date": "3 mei 2026", "kind": "quote", field: value}
    assert "copied" in refused("extract-fields", {"text": LETTER, "schema": SCHEMA}, output)


def test_null_is_always_allowed() -> None:
    output = {"company": None, "total": 1250, "date": "3 mei 2026", "kind": "quote"}
    assert refused("extract-fields", {"text": LETTER, "schema": SCHEMA}, output) == {}


# --- draft-reply ----------------------------------------------------------------------------------------

MESSAGE: dict[str, Any] = {
    "text": "Hi, I forgot my password.",
    "language": "en",
    "passage": "Open the sign-in page and choose Forgot password. The link works for 15 minutes.",
}


async def test_draft_reply_frames_what_the_model_writes() -> None:
    model = session(["Please open the sign-in page and choose Forgot password."])
    asked = await ask("draft-reply", MESSAGE, model)
    assert asked.output["reply"] == (
        "Hello,\n\nPlease open the sign-in page and choose Forgot password.\n\nKind regards,\nService desk"
    )
    assert not asked.refused
    assert "15 minutes" in model.requests[0].messages[-1].content


@pytest.mark.parametrize("language", ["en", "nl"])
async def test_without_a_passage_no_model_writes(language: str) -> None:
    model = session()
    asked = await ask("draft-reply", {"text": "x", "language": language}, model)
    assert model.requests == []
    assert asked.output["reply"]
    assert not asked.refused


@pytest.mark.parametrize(
    ("middle", "check"),
    [
        ("Ok.", "says_something"),
        ("Dear [NAME_1], please choose Forgot password.", "no_placeholder"),
        ("Please mail help@example.com and you will get the link.", "nothing_invented"),
        ("Please open www.example.com and you will get the link.", "nothing_invented"),
        ("Please wait for 20 minutes and then try it again.", "nothing_invented"),
        ("I forgot my password and I do not know what to do any more.", "from_passage"),
        ("Open de aanmeldpagina en kies voor het wachtwoord dat u bent vergeten.", "language"),
    ],
)
def test_a_bad_draft_is_refused(middle: str, check: str) -> None:
    assert check in refused("draft-reply", MESSAGE, {"reply": f"Hello,\n\n{middle}\n\nKind regards,\nDesk"})


def test_numbers_of_the_passage_and_of_a_list_are_not_invented() -> None:
    middle = "1. Open the sign-in page.\n2. Choose Forgot password; you have 15 minutes for it."
    assert refused("draft-reply", MESSAGE, {"reply": f"Hello,\n\n{middle}\n\nKind regards,\nDesk"}) == {}


# --- plan -----------------------------------------------------------------------------------------------


async def test_plan_shows_the_catalogue_and_is_held_to_its_names() -> None:
    agents = {name: entry.spec for name, entry in workspace().agents.items()}
    tools = toolbox().specs
    plan = {
        "subtasks": [{"id": "a", "agent": "language", "with": {"text": "${task.text}"}}],
        "answer": "${a.language}",
    }
    model = says(plan)
    inputs = {
        "task": "Which language is this?",
        "catalogue": catalogue(agents, tools),
        "schema": plan_schema(agents, tools),
    }
    asked = await ask("plan", inputs, model)
    assert asked.output == plan
    assert not asked.refused
    prompt = model.requests[0].messages[-1].content
    assert "- agent language(text) -> language, probability: Tells in which language" in prompt
    assert "- agent calculate(expression, lines, vat_percent, decimals) -> result" in prompt
    assert "- tool check_invoice(lines, total)" in prompt
