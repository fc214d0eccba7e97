"""SNIPS and xSID slots: what is read, what counts as right, and the word list that is their floor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bench.cases import Case
from orchestrator.errors import ContentError
from orchestrator.kit.examples import Example, read_examples
from orchestrator.kit.spans import Span, locate, quoted, read_quoted, span_scores
from tests.agents.crew import ask, session
from tests.agents.crew import says as model_says
from tests.bench.families.helpers import (
    ask_content,
    asks,
    check_splits,
    code,
    failed,
    grade,
    module,
    real_files,
)
from tests.core.world import write

INTENTS = module("benchmarks/snips/score.py").INTENTS
ENGLISH = """\
# text = set an alarm, for 4pm
# intent = alarm/set_alarm
1\tset\talarm/set_alarm\tO
2\tan\talarm/set_alarm\tO
3\talarm\talarm/set_alarm\tB-reminder/noun
4\t,\talarm/set_alarm\tO
5\tfor\talarm/set_alarm\tB-datetime
6\t4pm\talarm/set_alarm\tI-datetime
"""
DUTCH = """\
# id = 1
# text-en = wake me at six
# text = wek mij om zes
# intent = alarm/set_alarm
1\twek\talarm/set_alarm\tO
2\tmij\talarm/set_alarm\tO
3\tom\talarm/set_alarm\tB-datetime
4\tzes\talarm/set_alarm\tI-datetime
"""


def says(text: str, *spans: tuple[str, str]) -> dict[str, Any]:
    """An answer that marks these words."""
    found, lost = locate(text, spans)
    assert not lost
    return {"spans": [{**span._asdict(), "text": text[span.start : span.end]} for span in found]}


# --- where quotes stand, and how many are right ---------------------------------------------------------


def test_quotes_are_found_word_for_word_in_their_order() -> None:
    text = "play art by Art in Gent, Art"
    spans, lost = locate(text, [("track", "art"), ("artist", "Art"), ("city", "gent"), ("artist", "art")])
    assert [(span.kind, text[span.start : span.end]) for span in spans] == [
        ("track", "art"),
        ("artist", "Art"),
        ("city", "Gent"),
        ("artist", "Art"),
    ]
    assert lost == []


def test_quotes_out_of_order_are_found_too() -> None:
    spans, lost = locate("from Gent to Ieper", [("to", "Ieper"), ("from", "Gent")])
    assert spans == [Span("from", 5, 9), Span("to", 13, 18)]
    assert lost == []


@pytest.mark.parametrize("quote", ["Brussel", "", "   ", "Gent to Gent"])
def test_what_is_not_in_the_text_is_lost(quote: str) -> None:
    assert locate("from Gent to Ieper", [("city", quote)]) == ([], [quote])


def test_a_part_is_marked_once() -> None:
    assert locate("in Gent", [("city", "Gent"), ("state", "Gent")]) == ([Span("city", 3, 7)], ["Gent"])


def test_a_whole_word_is_better_than_a_part_of_one() -> None:
    assert locate("start the art", [("x", "art")])[0] == [Span("x", 10, 13)]


def test_what_a_model_is_to_write_can_be_read_back() -> None:
    text = 'say "hé" in Gent'
    spans = [Span("word", 4, 8), Span("city", 12, 16)]
    assert read_quoted(quoted(text, spans)) == [("word", '"hé"'), ("city", "Gent")]
    assert locate(text, read_quoted(quoted(text, spans))) == (spans, [])


def test_span_scores_by_hand() -> None:
    a, b, c = Span("x", 0, 1), Span("x", 2, 3), Span("y", 0, 1)
    pairs = [(frozenset({a, b}), frozenset({a})), (frozenset({b}), frozenset({b, c}))]
    # Two of three are found; two of three that were found are right; no frame is exact.
    assert span_scores(pairs) == {
        "slot_f1": pytest.approx(2 / 3),
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "exact_frame": 0.0,
    }
    none = span_scores([(frozenset(), frozenset())])
    assert none == {"slot_f1": 1.0, "precision": 1.0, "recall": 1.0, "exact_frame": 1.0}
    wrong_kind = span_scores([(frozenset({a}), frozenset({c}))])
    assert wrong_kind == {"slot_f1": 0.0, "precision": 0.0, "recall": 0.0, "exact_frame": 0.0}
    assert span_scores([])["exact_frame"] == 0.0


# --- SNIPS ----------------------------------------------------------------------------------------------


def snips_row(*parts: tuple[str, str] | str) -> dict[str, Any]:
    return {"data": [{"text": p} if isinstance(p, str) else {"text": p[0], "entity": p[1]} for p in parts]}


@pytest.fixture
def snips(tmp_path: Path) -> dict[str, Path]:
    for intent in INTENTS:
        train = [snips_row("in ", (f"Gent{n}", "city")) for n in range(21)]
        train[5] = snips_row("in ", ("gent0", "city"))
        test = [snips_row(" rain in ", (" Caf\u00e9 ", "city"), "at ", ("noon", "timeRange"))]
        rows = json.dumps({intent: train}, ensure_ascii=False)
        write(tmp_path, f"train_{intent}_full.json", rows)
        one = json.dumps({intent: test}, ensure_ascii=False)
        (tmp_path / f"validate_{intent}.json").write_bytes(one.encode("latin-1"))
    return {file.name: file for file in tmp_path.iterdir()}


def snips_case(files: dict[str, Path]) -> Case:
    return code("snips").read_cases(files, "test")[0]


def test_snips_reads_latin_1_and_leaves_spaces_out_of_a_slot(snips: dict[str, Path]) -> None:
    case = snips_case(snips)
    text = case.inputs["text"]
    assert case.id == "test_AddToPlaylist_0"
    assert text == "rain in  Café at noon"
    assert [(kind, text[start:end]) for kind, start, end in case.gold] == [
        ("city", "Café"),
        ("timeRange", "noon"),
    ]
    assert case.inputs["kinds"] == ["city"]
    assert case.inputs["folder"] == "slots/AddToPlaylist"


def test_snips_is_right_only_when_every_slot_is(snips: dict[str, Path]) -> None:
    case = snips_case(snips)
    text = case.inputs["text"]
    both = ("city", "Café"), ("timeRange", "noon")
    assert grade("snips", snips, case, says(text, *both)) == 1.0
    assert grade("snips", snips, case, says(text, both[0])) == 0.0
    assert grade("snips", snips, case, says(text, *both, ("city", "rain"))) == 0.0
    assert grade("snips", snips, case, says(text, ("state", "Café"), both[1])) == 0.0
    assert grade("snips", snips, case, says(text, both[0], ("timeRange", "at noon"))) == 0.0
    assert grade("snips", snips, case, {"spans": []}) == 0.0
    assert grade("snips", snips, case, None) == 0.0
    assert failed("snips", snips, case) == 0.0


def test_snips_figures_by_hand(snips: dict[str, Path]) -> None:
    case = snips_case(snips)
    half = says(case.inputs["text"], ("city", "Café"))
    found = code("snips").metrics([(case, half), (case, None)])
    assert found == {"slot_f1": pytest.approx(0.4), "precision": 1.0, "recall": 0.25, "exact_frame": 0.0}


def test_snips_learns_from_neither_split(snips: dict[str, Path], tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    code("snips").materials(snips, made)
    learned = {row.text for row in read_examples(made / "slots" / "GetWeather")}
    measured = {c.inputs["text"] for split in ("test", "dev") for c in code("snips").read_cases(snips, split)}
    # The first and the last are for working on prompts, and the sixth is the first once more.
    assert learned == {f"in Gent{n}" for n in range(1, 20) if n != 5}
    assert not learned & measured


def test_the_real_snips() -> None:
    files = real_files("snips")
    splits = check_splits("snips", files, {"test": 700, "dev": 691})
    assert {len(case.inputs["kinds"]) for case in splits["test"]} == {2, 5, 7, 9, 14}
    assert all(case.gold for case in splits["dev"])


# --- xSID -----------------------------------------------------------------------------------------------


@pytest.fixture
def xsid(tmp_path: Path) -> dict[str, Path]:
    write(
        tmp_path,
        "en.test.conll",
        "\n".join(
            ENGLISH.replace("alarm,", f"alarm{n},").replace("\talarm\t", f"\talarm{n}\t")
            for n in (*range(6), 0)
        ),
    )
    write(tmp_path, "nl.valid.conll", DUTCH + "\n\n")
    return {name: tmp_path / name for name in ("en.test.conll", "nl.valid.conll")}


def test_xsid_puts_tokens_together(xsid: dict[str, Path]) -> None:
    (case,) = code("xsid-slots").read_cases(xsid, "nl")
    assert (case.id, case.inputs["text"]) == ("nl_0", "wek mij om zes")
    assert case.gold == [["datetime", 8, 14]]
    assert case.inputs["kinds"] == ["datetime", "reminder_noun"]
    dev = code("xsid-slots").read_cases(xsid, "dev")
    assert [one.id for one in dev] == ["dev_0", "dev_1"]
    assert dev[0].gold == [["reminder_noun", 7, 13], ["datetime", 15, 22]]


def test_xsid_slots_are_right_or_wrong(xsid: dict[str, Path]) -> None:
    (case,) = code("xsid-slots").read_cases(xsid, "nl")
    right, wrong = says("wek mij om zes", ("datetime", "om zes")), says("wek mij om zes", ("datetime", "zes"))
    assert grade("xsid-slots", xsid, case, right) == 1.0
    assert grade("xsid-slots", xsid, case, wrong) == 0.0
    assert grade("xsid-slots", xsid, case, None) == 0.0
    assert code("xsid-slots").metrics([(case, right), (case, wrong)])["slot_f1"] == 0.5


def test_xsid_says_which_token_is_malformed(xsid: dict[str, Path]) -> None:
    xsid["nl.valid.conll"].write_text(DUTCH.replace("4\tzes", "4\tacht"), "utf-8")
    with pytest.raises(ContentError, match=r"nl\.valid\.conll.*acht"):
        code("xsid-slots").read_cases(xsid, "nl")


def test_xsid_learns_from_english_that_is_not_in_dev(xsid: dict[str, Path], tmp_path: Path) -> None:
    code("xsid-slots").materials(xsid, tmp_path)
    # Of seven requests two are for working on prompts, and one of these is in the file twice.
    assert [row.text[7:13] for row in read_examples(tmp_path)] == ["alarm1", "alarm2", "alarm3", "alarm4"]


def test_xsid_does_not_learn_from_the_original_of_what_is_measured(
    xsid: dict[str, Path], tmp_path: Path
) -> None:
    dutch = DUTCH.replace("wake me at six", "Set an alarm2, for 4pm")
    xsid["nl.valid.conll"].write_text(dutch, "utf-8")
    code("xsid-slots").materials(xsid, tmp_path)
    assert [row.text[7:13] for row in read_examples(tmp_path)] == ["alarm1", "alarm3", "alarm4"]


def test_the_real_xsid_slots(tmp_path: Path) -> None:
    files = real_files("xsid")
    splits = check_splits("xsid-slots", files, {"nl": 300, "dev": 100})
    assert len(splits["nl"][0].inputs["kinds"]) == 34
    code("xsid-slots").materials(files, tmp_path)
    assert len(read_examples(tmp_path)) == 348


# --- the floor, and the agent that quotes ---------------------------------------------------------------


def test_the_word_list_takes_the_longest_known_value_and_its_usual_kind() -> None:
    floor = module("benchmarks/extraction/agents/tag-known-values/answer.py")
    rows = [("city", "New York"), ("state", "York"), ("state", "Iowa"), ("city", "Iowa"), ("state", "iowa")]
    examples = tuple(Example("", json.dumps({"spans": [{kind: words}]})) for kind, words in rows)
    text = "from new york, Iowa to Yorkshire"
    found = floor.tag(text, floor.known_values((*examples, Example("none", None))))
    assert [(span.kind, text[span.start : span.end]) for span in found] == [
        ("city", "new york"),
        ("state", "Iowa"),
    ]
    assert floor.tag("anything", {}) == []


async def test_the_floor_reads_the_examples_of_its_folder(snips: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    code("snips").materials(snips, tmp_path / "m")
    answer = await ask_content(
        ("extraction",),
        "tag-known-values",
        {"text": "to gent3", "folder": "slots/GetWeather"},
        roots=(tmp_path / "m",),
    )
    assert answer.output == {"spans": [{"kind": "city", "start": 3, "end": 8, "text": "gent3"}]}


async def test_a_generator_quotes_and_code_finds_the_place() -> None:
    model = model_says({"spans": [{"date": "Monday"}, {"city": "Antwerp"}]})
    inputs = {
        "text": "A room in Antwerp for Monday",
        "kinds": ["city", "date"],
        "examples": [
            {"text": "In Gent", "label": '{"spans": [{"city": "Gent"}]}'},
            {"text": "Thanks", "label": None},
        ],
    }
    asked = await ask("tag-spans", inputs, model)
    assert [(span["kind"], span["text"], span["start"]) for span in asked.output["spans"]] == [
        ("city", "Antwerp", 10),
        ("date", "Monday", 22),
    ]
    assert not asked.refused
    (request,) = model.requests
    system, *turns = request.messages
    assert system.content.endswith("The kinds are: city, date.")
    assert [(turn.role, turn.content) for turn in turns] == [
        ("user", "Text: In Gent"),
        ("assistant", '{"spans": [{"city": "Gent"}]}'),
        ("user", "Text: Thanks"),
        ("assistant", '{"spans": []}'),
        ("user", "Text: A room in Antwerp for Monday"),
    ]
    assert request.json_schema is not None
    kinds = request.json_schema["properties"]["spans"]["items"]["anyOf"]
    assert [kind["required"] for kind in kinds] == [["city"], ["date"]]


async def test_a_quote_that_is_not_there_is_dropped_and_costs_the_confidence() -> None:
    model = session(['{"spans": [{"city": "Brussels"}]}'])
    asked = await ask("tag-spans", {"text": "A room in Antwerp", "kinds": ["city"]}, model)
    assert asked.output == {"spans": []}
    assert asked.answer.confidence == 0.0
    assert asked.answer.reason == "1 quotes are not in the text"


@pytest.mark.parametrize("name", ["snips", "xsid-slots"])
def test_arms_that_are_compared_get_the_same_words(name: str) -> None:
    """Reference and small arms differ in the route alone."""
    for pair in (("reference", "small-zero"), ("reference-few", "small-few"), ("crew", "small-few")):
        one, other = (asks(name, arm) for arm in pair)
        assert one == other
