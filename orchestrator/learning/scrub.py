"""S2: take personal data out, and each text once; the only door through which texts come to be learnt from.

The agent `redact` finds what has a checksum or a form, and names that a text announces; `names.py` finds
other names. The same value becomes the same placeholder in the text and in its answer. The report counts
what was replaced, by kind, and what was left out, by reason; values are in no report.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from orchestrator.agent import Agent
from orchestrator.learning.examples import Example, Split, problem_with_choice, written_ids
from orchestrator.learning.names import Words, find_names
from orchestrator.types import Answer, Json, Learns, Record

_OTHER = "OTHER_NAME"
_MARKS = re.compile(r"[\s()./-]")
Redact = Callable[[str], Awaitable[Sequence[Json]]]
Refuses = Callable[[Example], bool]


class Raw(NamedTuple):
    """A text and its answer as they were recorded."""

    text: str
    answer: Any
    by: str
    origin: str
    recorded_at: str | None = None
    given_split: Split | None = None
    inputs: Json = {}


class Scrubbed(Record):
    """What scrubbing did. `replaced` counts places by kind; NAME by a rule, OTHER_NAME by `names.py`."""

    seen: int
    kept: int
    left_out: dict[str, int]
    replaced: dict[str, int]


class _Found(NamedTuple):
    kind: str
    start: int
    end: int


class Replacement(NamedTuple):
    start: int
    end: int
    placeholder: str


async def scrub(
    raws: Sequence[Raw],
    learns: Learns,
    redact: Redact | None,
    key: bytes | None = None,
    refuses: Refuses | None = None,
) -> tuple[list[Example], Scrubbed]:
    """Examples without personal data, and the report. `redact` gives the agent's `found` for a text.

    Without `redact` the texts stay as they are: what is public needs no scrubbing. With a `key` examples can
    be told again by their texts as they were written. What `refuses` says yes to is left out.
    """
    words = Words(raw.text for raw in raws)
    same: dict[str, list[Example]] = {}
    left_out, replaced = Counter[str](), Counter[str]()
    for raw in raws:
        found = await _found(raw.text, words, redact) if redact else []
        replacements = _replacements(raw.text, found)
        try:
            answer = _answer(raw, replacements, learns)
            inputs = await _inputs(raw, replacements, redact)
            await _insist_on_clean(learns, answer, redact)
            _insist_on_choice(learns, answer, inputs)
            text = replaced_in(raw.text, replacements)
            written = written_ids(raw.text, key) if key else ()
            made = {"text": text, "answer": answer, "inputs": inputs, "written": written}
            example = Example(**{**raw._asdict(), **made})
            if refuses and refuses(example):
                raise _Left("its answer fails the checks of the agent that would learn it")
        except _Left as reason:
            left_out[str(reason)] += 1
            continue
        replaced.update(item.kind for item in found)
        same.setdefault(example.key, []).append(example)
    kept = list(_each_once(same.values(), left_out))
    report = Scrubbed(seen=len(raws), kept=len(kept), left_out=dict(left_out), replaced=dict(replaced))
    return kept, report


def refused_by(agent: Agent, learns: Learns, fixed: Json) -> Refuses | None:
    """Rows to learn from whose answer the agent itself would not let pass; None: it could let any pass.

    A file may hold such: who learns to write invented numbers is refused whenever it does. Rows to choose
    or judge by stay, whatever their answers are.
    """
    if learns.kind != "json":
        return None

    def refuses(example: Example) -> bool:
        said = Answer(output={learns.answer: example.answer})
        checks = agent.check(example.as_input(learns, fixed), said) if example.split == "train" else ()
        return not all(check.passed for check in checks)

    return refuses


async def _insist_on_clean(learns: Learns, answer: Any, redact: Redact | None) -> None:
    """An answer may write a value otherwise than its text: "+31612345678" for "06 12345678".

    What then still has a checksum or a form cannot be told a placeholder, and the row is left out.
    """
    if redact and learns.kind != "spans" and await _has_identifier(answer, redact):
        raise _Left("its answer holds personal data that its text does not hold so")


def _insist_on_choice(learns: Learns, answer: Any, inputs: Json) -> None:
    """What is replaced in the one may have been the name of the other."""
    if learns.kind == "choice" and problem_with_choice(answer, inputs.get(learns.choices or "")):
        raise _Left("its answer is none of what there was to choose from")


async def _inputs(raw: Raw, replacements: Sequence[Replacement], redact: Redact | None) -> Json:
    """A value that the text calls by a placeholder is called so here; what has a checksum or a form goes too.

    Words inside other inputs stay: a tool's description must be what it will be in service.
    """
    if redact is None:
        return raw.inputs
    values = _values(raw, replacements)
    made: Json = await _redacted(_mapped(raw.inputs, lambda leaf: _whole(leaf, values)), redact)
    if await _has_identifier(made, redact):
        raise _Left("personal data is in the names of its inputs")
    return made


async def _redacted(value: Any, redact: Redact) -> Any:
    if isinstance(value, str):
        certain = [_Found(item["kind"], item["start"], item["end"]) for item in await redact(value)]
        return replaced_in(value, _replacements(value, certain))
    if isinstance(value, list):
        return [await _redacted(item, redact) for item in value]
    if isinstance(value, dict):
        return {name: await _redacted(item, redact) for name, item in value.items()}
    return value


async def _has_identifier(value: Any, redact: Redact) -> bool:
    """In its text, its names or its numbers."""
    if isinstance(value, dict):
        return await _has_identifier([*value, *value.values()], redact)
    if isinstance(value, list):
        return any([await _has_identifier(item, redact) for item in value])
    return not isinstance(value, bool | None) and bool(await redact(str(value)))


def replaced_in(text: str, replacements: Sequence[Replacement]) -> str:
    pieces, place = [], 0
    for item in replacements:
        pieces += [text[place : item.start], item.placeholder]
        place = item.end
    return "".join([*pieces, text[place:]])


class _Left(Exception):
    """Why a row is left out."""


def _each_once(same: Iterable[Sequence[Example]], left_out: Counter[str]) -> Iterator[Example]:
    for group in same:
        if any(example.answer != group[0].answer for example in group):
            left_out["the same text was answered differently"] += len(group)
            continue
        left_out.update({"the same text again": len(group) - 1} if len(group) > 1 else {})
        written = tuple(sorted({mark for example in group for mark in example.written}))
        yield group[0].model_copy(update={"written": written})


async def _found(text: str, words: Words, redact: Redact) -> list[_Found]:
    """What `redact` finds comes first; a name that lies in it or over it is not taken twice."""
    certain = [_Found(item["kind"], item["start"], item["end"]) for item in await redact(text)]
    others = [_Found(_OTHER, start, end) for start, end in find_names(text, words)]
    apart = [item for item in others if not any(item.start < c.end and c.start < item.end for c in certain)]
    return sorted([*certain, *apart], key=lambda item: item.start)


def _replacements(text: str, found: Sequence[_Found]) -> list[Replacement]:
    """The same value has the same placeholder, whatever its spacing and case."""
    names: dict[tuple[str, str], str] = {}
    made = []
    for item in found:
        kind = "NAME" if item.kind == _OTHER else item.kind
        key = kind, _MARKS.sub("", text[item.start : item.end]).casefold()
        number = 1 + sum(known == kind for known, _ in names)
        made.append(Replacement(item.start, item.end, names.setdefault(key, f"[{kind}_{number}]")))
    return made


def _answer(raw: Raw, replacements: Sequence[Replacement], learns: Learns) -> Any:
    """The answer to the text as it is now."""
    if learns.kind in ("label", "choice"):
        return raw.answer
    if learns.kind == "spans":
        return [_moved(span, raw.text, replacements) for span in raw.answer]
    values = _values(raw, replacements)
    return _mapped(raw.answer, lambda leaf: _inside(_whole(leaf, values), values))


def _moved(span: Json, text: str, replacements: Sequence[Replacement]) -> Json:
    """A part of the text, where it stands now."""
    inside = [item for item in replacements if item.start < span["end"] and span["start"] < item.end]
    if any(item.start < span["start"] or item.end > span["end"] for item in inside):
        raise _Left("personal data begins or ends inside a marked part")
    before = [item for item in replacements if item.end <= span["start"]]
    start = span["start"] + sum(len(item.placeholder) - (item.end - item.start) for item in before)
    shifted = [
        item._replace(start=item.start - span["start"], end=item.end - span["start"]) for item in inside
    ]
    words = replaced_in(text[span["start"] : span["end"]], shifted)
    return {"kind": span["kind"], "start": start, "end": start + len(words), "text": words}


def _values(raw: Raw, replacements: Sequence[Replacement]) -> dict[str, str]:
    """What was replaced -> its placeholder; the longest first, as a name may lie in an address."""
    found = {raw.text[item.start : item.end]: item.placeholder for item in replacements}
    return dict(sorted(found.items(), key=lambda pair: -len(pair[0])))


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """With every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    if isinstance(value, dict):
        return {name: _mapped(item, change) for name, item in value.items()}
    return value


def _whole(leaf: str, values: Mapping[str, str]) -> str:
    """The placeholder of a text that is one of the values, whatever its spacing, marks and case."""
    plain = _MARKS.sub("", leaf).casefold()
    return next((name for value, name in values.items() if _MARKS.sub("", value).casefold() == plain), leaf)


def _inside(leaf: str, values: Mapping[str, str]) -> str:
    """With the values that stand in it as words of their own replaced."""
    for value, name in values.items():
        leaf = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", name, leaf, flags=re.IGNORECASE)
    return leaf
