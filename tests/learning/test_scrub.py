"""What may be learnt from: no personal data, each text once, and answers that still fit their text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.agent import load_agent
from orchestrator.errors import ContentError
from orchestrator.learning.examples import Example, Split, own_key
from orchestrator.learning.scrub import Raw, Scrubbed, refused_by, scrub
from orchestrator.types import Json, Learns
from orchestrator.workspace import Workspace, builtin_root

LABEL = Learns(kind="label", answer="label", choices="labels", fixed=("labels",))
SPANS = Learns(kind="spans", answer="spans", choices="kinds", fixed=("kinds",))
JSON = Learns(kind="json", answer="fields")


async def done(redact: Any, learns: Learns, *rows: tuple[str, Any]) -> tuple[list[Example], Scrubbed]:
    return await scrub(
        [Raw(text, answer, "file", f"f:{n}") for n, (text, answer) in enumerate(rows)], learns, redact
    )


def part(text: str, kind: str, words: str) -> Json:
    start = text.index(words)
    return {"kind": kind, "start": start, "end": start + len(words), "text": words}


async def test_values_become_placeholders_the_same_for_the_same_value(redact: Any) -> None:
    text = "Mail jan.pieters@bedrijf.nl or JAN.PIETERS@bedrijf.nl about NL91 ABNA 0417 1643 00."
    (example,), report = await done(redact, LABEL, (text, "finance"))
    assert example.text == "Mail [EMAIL_1] or [EMAIL_1] about [IBAN_1]."
    assert example.answer == "finance"
    assert report.replaced == {"EMAIL": 2, "IBAN": 1}


async def test_names_that_nothing_announces_go_too(redact: Any) -> None:
    usual = [(f"My laptop {n} does not start, can somebody look", "it") for n in range(8)]
    rows = [
        ("Can Sietske van den Berg in accounts get a key?", "it"),
        ("Przemek Kowalczyk left yesterday, close the account", "it"),
        ("the password of jan werkt niet", "it"),
    ]
    examples, report = await done(redact, LABEL, *usual, *rows)
    texts = [example.text for example in examples]
    assert texts[8:] == [
        "Can [NAME_1] in accounts get a key?",
        "[NAME_1] left yesterday, close the account",
        "the password of [NAME_1] werkt niet",
    ]
    assert texts[0] == "My laptop 0 does not start, can somebody look"
    assert report.replaced == {"OTHER_NAME": 3}


async def test_the_same_text_again_counts_once_and_contradictions_not_at_all(redact: Any) -> None:
    examples, report = await done(
        redact,
        LABEL,
        ("My screen is black!", "it"),
        ("my  screen is black", "it"),
        ("where is my order", "sales"),
        ("Where is my order?", "it"),
        ("where is my order ...", "sales"),
    )
    assert [(e.text, e.answer) for e in examples] == [("My screen is black!", "it")]
    assert report.left_out == {
        "the same text again": 1,
        "the same text was answered differently": 3,
    }
    assert (report.seen, report.kept) == (5, 1)


async def test_marked_parts_move_with_the_text(redact: Any) -> None:
    text = "Send it to anna@firma.be in Ghent before Friday"
    spans = [
        part(text, "city", "Ghent"),
        part(text, "mail", "anna@firma.be"),
        part(text, "due", "before Friday"),
    ]
    (example,), _ = await done(redact, SPANS, (text, spans))
    assert example.text == "Send it to [EMAIL_1] in [NAME_1] before Friday"
    for span in example.answer:
        assert example.text[span["start"] : span["end"]] == span["text"]
    assert [span["text"] for span in example.answer] == ["[NAME_1]", "[EMAIL_1]", "before Friday"]


async def test_a_part_that_ends_inside_personal_data_is_left_out(redact: Any) -> None:
    text = "Send it to anna@firma.be today"
    examples, report = await done(redact, SPANS, (text, [part(text, "to", "to anna")]))
    assert examples == []
    assert report.left_out == {"personal data begins or ends inside a marked part": 1}


async def test_values_inside_an_answer_go_as_well(redact: Any) -> None:
    text = "Book a room for anna@firma.be, phone +31 20 794 0800"
    answer = {"who": "anna@firma.be", "phones": ["+31 20 794 0800"], "guests": 1}
    (example,), _ = await done(redact, JSON, (text, answer))
    assert example.answer == {"who": "[EMAIL_1]", "phones": ["[PHONE_1]"], "guests": 1}


async def test_inputs_beside_a_text_lose_what_has_a_form_and_keep_their_words(redact: Any) -> None:
    tool = {"name": "mail_somebody", "description": "Mail Outlook of a@b.nl or jan@firma.nl to Teams."}
    raw = Raw("write to jan@firma.nl", {"to": "jan@firma.nl"}, "file", "f:1", inputs={"tool": tool})
    (example,), _ = await scrub([raw], JSON, redact)
    assert example.answer == {"to": "[EMAIL_1]"}
    assert "jan@firma.nl" not in str(example.inputs)
    assert "a@b.nl" not in str(example.inputs)
    assert example.inputs["tool"]["description"].startswith("Mail Outlook of ")


async def test_the_same_text_with_other_inputs_is_another_example(redact: Any) -> None:
    rows = [Raw("book it", {"n": n}, "file", "f", inputs={"tool": {"name": f"t{n}"}}) for n in range(2)]
    examples, report = await scrub(rows, JSON, redact)
    assert len(examples) == 2
    assert examples[0].split == examples[1].split
    assert report.left_out == {}


@pytest.mark.parametrize(
    ("text", "answer", "expected"),
    [
        ("mail Jan.De.Vries@Example.com", "jan.de.vries@example.com", "[EMAIL_1]"),
        ("pay NL91 ABNA 0417 1643 00", "NL91ABNA0417164300", "[IBAN_1]"),
        ("can Jan de Vries get a key", "for jan de vries", "for [NAME_1]"),
        ("ask Mark about it", "Markdown", "Markdown"),
    ],
)
async def test_an_answer_may_write_a_value_otherwise(
    redact: Any, text: str, answer: str, expected: str
) -> None:
    (example,), _ = await done(redact, JSON, (text, {"to": answer}))
    assert example.answer == {"to": expected}


@pytest.mark.parametrize(
    ("learns", "answer"),
    [
        (JSON, {"phone": "+31612345678"}),
        (JSON, {"to": "j.jansen@example.com"}),
        (JSON, {"j.jansen@example.com": 1}),
        (LABEL, "j.jansen@example.com"),
    ],
)
async def test_an_answer_that_holds_what_its_text_does_not_is_left_out(
    redact: Any, learns: Learns, answer: Any
) -> None:
    examples, report = await done(redact, learns, ("call him on 06 12345678", answer))
    assert examples == []
    assert report.left_out == {"its answer holds personal data that its text does not hold so": 1}


async def test_words_of_a_tool_stay_as_they_are_beside_a_name(redact: Any) -> None:
    tool = {"description": "Mark a task in Markdown", "enum": ["Mark", "Skip"]}
    raw = Raw("can Mark Jansen do it", {"a": 1}, "file", "f:1", inputs={"tool": tool, "who": "mark jansen"})
    (example,), _ = await scrub([raw], JSON, redact)
    assert example.inputs == {"tool": tool, "who": "[NAME_1]"}


async def test_a_text_is_told_again_as_it_was_written(redact: Any) -> None:
    """What stands for its personal data depends on the other texts; the keyed hash does not."""
    text = "please give ronalda a new key"
    others = [f"the key of ronalda number {n} is lost" for n in range(30)]
    key, other_key = b"1" * 32, b"2" * 32
    alone, _ = await scrub([Raw(text, "it", "file", "f:1")], LABEL, redact, key)
    among, _ = await scrub([Raw(t, "it", "file", "f:1") for t in [text, *others]], LABEL, redact, key)
    (example,) = alone
    assert any(example.is_among(each.written) for each in among)
    assert not any(example.is_among(each.written) for each in among[1:])
    elsewhere, _ = await scrub([Raw(text, "it", "file", "f:1")], LABEL, redact, other_key)
    assert not elsewhere[0].is_among(example.written)
    without, _ = await scrub([Raw(text, "it", "file", "f:1")], LABEL, redact)
    assert without[0].written == ()


async def test_texts_that_became_the_same_are_each_told_again(redact: Any) -> None:
    rows = [Raw(f"mail {name}@example.com the key", "it", "file", "f:1") for name in ("anna", "bert")]
    (both,), _ = await scrub(rows, LABEL, redact, b"1" * 32)
    singly = [(await scrub([row], LABEL, redact, b"1" * 32))[0][0] for row in rows]
    assert set(both.written) == {mark for each in singly for mark in each.written}
    assert len(both.written) == 2


def test_the_key_is_this_installation_s_own(tmp_path: Path) -> None:
    first = own_key(tmp_path / "one")
    assert own_key(tmp_path / "one") == first != own_key(tmp_path / "two")
    assert (tmp_path / "one" / "learning.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("held", [b"", b"0" * 63, b"\xff\xfe", b"g" * 64, b"0" * 128])
def test_a_damaged_key_is_told_and_not_replaced(tmp_path: Path, held: bytes) -> None:
    file = tmp_path / "learning.key"
    file.write_bytes(held)
    with pytest.raises(ContentError, match=r"learning.key: damaged: it holds no key of 32 bytes") as refused:
        own_key(tmp_path)
    assert "delete it" in str(refused.value.hint)
    assert file.read_bytes() == held
    file.write_text("0a" * 32 + "\n", "utf-8")
    assert own_key(tmp_path) == b"\n" * 32


async def test_rows_that_would_teach_what_the_agent_refuses_are_not_learnt_from() -> None:
    agent = load_agent(Workspace((builtin_root(),)).agents["use-tools"])
    learns = agent.spec.learns
    assert learns is not None
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    inputs = {"tools": [{"name": "weather", "description": "The weather", "parameters": schema}]}

    def row(split: Split, number: int, city: str) -> Raw:
        answer = [{"name": "weather", "arguments": {"city": city}}]
        return Raw(
            f"How warm is it in Gent, number {number}?", answer, "file", "f", given_split=split, inputs=inputs
        )

    rows = [row("train", 1, "Gent"), row("train", 2, "Oslo"), row("dev", 3, "Oslo"), row("test", 4, "Oslo")]
    examples, report = await scrub(rows, learns, None, None, refused_by(agent, learns, {}))
    assert [example.text[-2] for example in examples] == ["1", "3", "4"]
    assert report.left_out == {"its answer fails the checks of the agent that would learn it": 1}
    assert refused_by(agent, LABEL, {}) is None
