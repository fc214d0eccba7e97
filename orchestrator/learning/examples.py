"""What a specialist learns from: texts with the answer that somebody gave, and where each came from."""

from __future__ import annotations

import codecs
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from orchestrator.errors import ContentError
from orchestrator.store.files import hash_of, replace_text
from orchestrator.store.locks import locked
from orchestrator.types import Json, Learns, Record

Split = Literal["train", "dev", "test"]
# Of a hundred texts: 60 to learn from, 15 to choose by, 25 to judge by.
_DEV_FROM, _TEST_FROM = 60, 75
_MARKS = re.compile(r"[\W_]+")
_KEY_BYTES = 32
# The signs in which a name ends, as in C++ and C#, or else what does not count.
_SIGNS_OR_MARKS = re.compile(r"((?<=[^\W\d_])[+#]+(?![\w+#]))|[\W_]+")
# How texts are told apart, as a lineage says: 1, by their words alone; 2, by such signs too.
IDENTITY = 2
BARE = "bare:"  # before the hash of a text by its words alone


class Example(Record):
    """One text and its answer. `by`: the model that answered, or `file` where a person's file says so.

    `origin` is `RUN/STEP` of the record, or `FILE:LINE`; the same text from several places is one example.
    `given_split`: where a data set says itself which rows are for what. `recorded_at`: when it was
    logged, the oldest of several; None, for a file. `inputs`: what else the agent was given, where the answer
    depends on it and it is not always the same. `written`: keyed hashes of the texts as they were before
    personal data was taken out, which may leave another text where it stood among others.
    """

    text: str
    answer: Any
    by: str
    origin: str
    given_split: Split | None = None
    recorded_at: str | None = None
    inputs: Json = {}
    written: tuple[str, ...] = ()

    def is_among(self, known: Collection[str]) -> bool:
        """Whether the text, as it is or as it was written, is one of those with these hashes."""
        marks = (self.id, BARE + _hash(_bare(self.text)), *self.written)
        return any(mark in known for mark in marks)

    def as_input(self, learns: Learns, fixed: Json) -> Json:
        """What the agent is given, with what is the same for all; a value None is left out of that."""
        given = {name: value for name, value in fixed.items() if value is not None}
        return {**given, **self.inputs, learns.text: self.text}

    @property
    def id(self) -> str:
        """Of the text alone: the same text is always in the same split."""
        return text_id(self.text)

    @property
    def key(self) -> str:
        """Of all that the answer depends on."""
        return self._with_inputs(self.id)

    @property
    def bare_key(self) -> str:
        """As `key`, by the words of the text alone: the hashes of data on shipped cards were made so."""
        return self._with_inputs(_hash(_bare(self.text)))

    @property
    def split(self) -> Split:
        if self.given_split:
            return self.given_split
        place = int(self.id[:8], 16) % 100
        return "train" if place < _DEV_FROM else "dev" if place < _TEST_FROM else "test"

    def _with_inputs(self, text: str) -> str:
        return f"{text}-{hash_of(self.inputs)[:8]}" if self.inputs else text


def names_of(candidates: Any) -> list[str] | None:
    """What there is to choose from, by name; None where it is no list of texts and of objects with a name."""
    if not isinstance(candidates, list | tuple) or not candidates:
        return None
    said = [each.get("name") if isinstance(each, dict) else each for each in candidates]
    names = [name for name in said if isinstance(name, str)]
    return names if len(names) == len(said) else None


def problem_with_choice(answer: Any, candidates: Any) -> str | None:
    """Why this is no choice, or None. An answer None says that none of the candidates fits."""
    names = names_of(candidates)
    if names is None:
        return "there is nothing to choose from"
    if answer is not None and names.count(answer) != 1:
        return f"{answer!r} is {names.count(answer)} of the {len(names)} candidates, and must be one"
    return None


def text_id(text: str) -> str:
    """The same for texts that differ in case, spacing and punctuation alone; C++ and C# are two names."""
    return _hash(_plain(text))


def written_ids(text: str, key: bytes) -> tuple[str, ...]:
    """As `text_id`, for texts with personal data: without the key nobody can try them out (RFC 2104).

    A text with such names has another one by its words alone, as those of before `IDENTITY` 2 were made.
    """
    plain, bare = (hmac.new(key, form(text), hashlib.sha256).hexdigest()[:16] for form in (_plain, _bare))
    return (plain,) if plain == bare else (plain, BARE + bare)


def own_key(state_dir: Path) -> bytes:
    """This installation's, made at its first use; a key of another one recognises none of its texts.

    Raises ContentError for a damaged file: another key would see no leak in any gate to come.
    """
    file = state_dir / "learning.key"
    if not file.is_file():
        with locked(file.with_name("learning.key.lock")):
            if not file.is_file():
                replace_text(file, secrets.token_hex(_KEY_BYTES))
                file.chmod(0o600)
    return _read_key(file)


def _read_key(file: Path) -> bytes:
    written = file.read_bytes().strip()
    if re.fullmatch(rb"[0-9a-f]{%d}" % (2 * _KEY_BYTES), written):
        return bytes.fromhex(written.decode("ascii"))
    raise ContentError(
        f"damaged: it holds no key of {_KEY_BYTES} bytes",
        file=file,
        hint="Bring it back from a backup. Or delete it: a new one is made then, which does not know the "
        "texts of specialists that were trained before; train those again before their next gate.",
    )


def _plain(text: str) -> bytes:
    return _SIGNS_OR_MARKS.sub(lambda found: found[1] or " ", text).strip().casefold().encode()


def _bare(text: str) -> bytes:
    return _MARKS.sub(" ", text).strip().casefold().encode()


def _hash(plain: bytes) -> str:
    return hashlib.sha256(plain).hexdigest()[:16]


def write_examples(file: Path, examples: Iterable[Example]) -> None:
    """One JSON object a line; the file appears whole or not at all."""
    lines = [json.dumps(example.model_dump(), ensure_ascii=False) + "\n" for example in examples]
    replace_text(file, "".join(lines))


def read_examples(file: Path) -> Iterator[Example]:
    """Raises ContentError with the line that is no example."""
    for number, line in enumerate(lines_of(file), start=1):
        try:
            yield Example.model_validate_json(line)
        except ValidationError as error:
            raise ContentError(f"no example: {error.errors()[0]['msg']}", file=file, line=number) from None


def lines_of(file: Path) -> list[str]:
    """Ended by a newline alone: texts may hold what `splitlines` takes for another end, such as U+2028."""
    text = text_of(file)
    return text.removesuffix("\n").split("\n") if text else []


def text_of(file: Path) -> str:
    """Raises ContentError for what is not UTF-8."""
    data = file.read_bytes()
    if coding := _utf16(data):
        raise ContentError(
            f"{coding}, and UTF-8 is needed",
            file=file,
            hint="In a spreadsheet, save it as CSV UTF-8. Or convert it: "
            f"iconv -f {coding} -t UTF-8 {file.name} > utf8-{file.name}",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        hint = f"Convert it: iconv -f WINDOWS-1252 -t UTF-8 {file.name}"
        raise ContentError(f"not UTF-8: {error.reason}", file=file, hint=hint) from None


def _utf16(data: bytes) -> str | None:
    """Which UTF-16 it is, as iconv calls it: by its mark, or by a zero byte in its first characters."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    if 0 not in data[:4]:
        return None
    return "UTF-16BE" if data[0] == 0 else "UTF-16LE"
