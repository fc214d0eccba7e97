"""One JSON schema dialect out of several, and what code does to a model's arguments."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from orchestrator.kit.arguments import conform, empty_required, invented_number, placeholder_in, settle
from orchestrator.kit.toolschema import call_schema, card_text, describe, normalise, parameters_of

LEADERBOARD_TOOL: dict[str, Any] = {
    "name": "geometry.area",
    "parameters": {
        "type": "dict",
        "properties": {
            "sides": {"type": "array", "items": {"type": "float"}},
            "point": {"type": "tuple", "items": {"type": "integer"}},
            "unit": {"type": "string", "enum": ["cm", "m"], "default": "m"},
            "options": {"type": "dict", "properties": {"exact": {"type": "bool"}}},
            "extra": {"type": "any"},
        },
        "required": ["sides"],
    },
}


def test_foreign_type_names_become_json_schema() -> None:
    schema = parameters_of(LEADERBOARD_TOOL)
    jsonschema.Draft202012Validator.check_schema(schema)
    fields = schema["properties"]
    assert schema["type"] == "object"
    assert fields["sides"] == {"type": "array", "items": {"type": "number"}}
    assert fields["point"]["type"] == "array"
    assert fields["unit"] == {"enum": ["cm", "m"]}
    assert fields["options"]["additionalProperties"] is False
    assert fields["extra"]["type"] == ["string", "number", "boolean"]


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    assert parameters_of({"name": "now"})["properties"] == {}
    assert parameters_of({"name": "now", "parameters": None})["additionalProperties"] is False


def test_an_enum_beside_an_array_is_meant_for_its_items() -> None:
    made = normalise({"type": "array", "enum": ["a", "b"], "items": {"type": "string"}})
    assert made == {"type": "array", "items": {"enum": ["a", "b"]}}


def test_a_free_form_map_stays_open() -> None:
    assert normalise({"type": "dict"}) == {"type": "object"}


def test_a_call_names_its_tool() -> None:
    schema = call_schema(LEADERBOARD_TOOL)
    jsonschema.validate({"name": "geometry.area", "arguments": {"sides": [1.0]}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"name": "other", "arguments": {"sides": [1.0]}}, schema)


def test_arguments_are_described_in_one_line_each() -> None:
    assert describe(parameters_of(LEADERBOARD_TOOL)).splitlines() == [
        "- sides (list of number)",
        "- point (list of integer, optional)",
        '- unit (one of ["cm", "m"], optional)',
        "- options ({exact: boolean}, optional)",
        "- extra (string or number or boolean, optional)",
    ]


def test_a_schema_without_properties_is_shown_as_it_is() -> None:
    assert describe({"type": "string"}) == '{"type": "string"}'


def test_declared_numbers_become_floats_at_every_depth() -> None:
    schema = normalise({"type": "array", "items": {"type": "float"}})
    assert [type(item) for item in conform([1, 2.5], schema)] == [float, float]
    assert conform(True, {"type": "number"}) is True


@pytest.mark.parametrize(
    ("value", "kept"), [("blue", True), ("Blue sky", True), ("red", False), (7, True), (8, False)]
)
def test_an_optional_argument_stays_only_when_the_text_supports_it(value: object, kept: bool) -> None:
    schema = {"properties": {"x": {}, "y": {}}, "required": ["y"]}
    settled = settle({"x": value, "y": "anything"}, schema, "a blue car with 7 seats")
    assert ("x" in settled) is kept
    assert settled["y"] == "anything"


def test_an_optional_switch_stays_when_the_text_names_it() -> None:
    schema = {"properties": {"include_tax": {"type": "boolean"}}}
    assert settle({"include_tax": True}, schema, "with tax please") == {"include_tax": True}
    assert settle({"include_tax": True}, schema, "what does it cost") == {}


@pytest.mark.parametrize(
    ("name", "description", "settled"),
    [
        ("interest_rate", "The annual interest rate.", 0.05),
        ("interest_rate", "As a decimal, 5% is 0.05.", 0.05),
        ("annual_rate", "The rate as a percentage.", 5.0),
        ("lightness", "How light.", 5.0),
    ],
)
def test_a_rate_in_percent_becomes_a_fraction(name: str, description: str, settled: float) -> None:
    schema = {"properties": {name: {"type": "number", "description": description}}, "required": [name]}
    assert settle({name: 5}, schema, "at 5% a year") == {name: settled}
    assert settle({name: 7}, schema, "at 5% a year") == {name: 7.0}


@pytest.mark.parametrize("value", ["<name>", "{{name}}", "your_name", "N/A", "name", "...", "[insert name]"])
def test_placeholders_are_seen(value: str) -> None:
    assert placeholder_in({"name": [value]}) is not None


@pytest.mark.parametrize("value", ["Name Ltd", "x", "none of the above", "<b> and more"])
def test_real_values_are_no_placeholders(value: str) -> None:
    assert placeholder_in({"name": value}) is None


def test_a_number_must_come_from_the_text_or_the_description() -> None:
    schema = {"properties": {"n": {"description": "defaults to 10"}}}
    assert invented_number({"n": 5}, schema, "five of them") is None
    assert invented_number({"n": 10}, schema, "some of them") is None
    assert invented_number({"n": 1}, schema, "some of them") is None
    assert invented_number({"n": 42}, schema, "some of them") == "n: 42 is not in the text"


def test_an_empty_required_argument_is_seen() -> None:
    assert empty_required({"a": ""}, {"required": ["a"]}) == "a: is empty"
    assert empty_required({"a": 0}, {"required": ["a"]}) is None


def test_a_tool_is_one_line_for_an_encoder() -> None:
    properties: dict[str, Any] = {"cityName": {}, "days": {}}
    tool = {"name": "getWeather", "description": "Forecast.", "parameters": {"properties": properties}}
    assert card_text(tool) == "get Weather: Forecast. (city Name, days)"
    assert card_text({"name": "stop"}) == "stop: "
