"""`lilliput models check`: load a model and try everything that its card claims.

A claim is believed when it was seen to hold here: three prompts are answered, a schema is kept, every token
has a log-probability, vectors have length 1, languages are told apart, and the context and the memory on
the card are not better than the files and the process say. What does not hold is a complaint, and exit
code 1.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.console import number, print_pairs, print_table, seconds, size, to_stdout
from orchestrator.cli.door import Door
from orchestrator.types import Record

if TYPE_CHECKING:
    from orchestrator.runtimes.base import (
        Classifier,
        Embedder,
        Generator,
        LanguageDetector,
        PairScorer,
        Session,
        Tagger,
    )
    from orchestrator.types import Generation, ModelCard

PROMPTS = (
    "Name the capital of the Netherlands in one word.",
    "Write one sentence that thanks a customer for a bug report.",
    "Schrijf in één zin dat de printer weer werkt.",
)
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green", "blue"]}, "count": {"enum": [1, 2, 3]}},
    "required": ["colour", "count"],
    "additionalProperties": False,
}
TEXTS = (
    ("en", "The printer on the second floor does not work since this morning."),
    ("nl", "De printer op de tweede verdieping werkt niet sinds vanmorgen."),
    ("fr", "L'imprimante du deuxième étage ne marche plus depuis ce matin."),
)
# Vectors of unit length, up to float32 rounding.
UNIT = 1e-3
# The card's memory is a promise to the pool; measuring it by the process's size is coarse.
SLACK = 1.25


class Trial(Record):
    """One thing that was tried: what came out, or what is wrong with it."""

    what: str
    result: str
    complaint: str | None = None


def _trial(what: str, result: str, complaint: str | None = None) -> Trial:
    return Trial(what=what, result=result, complaint=complaint)


class Report(Record):
    """What was found about one model on this machine. Memory is how much the process grew."""

    model: str
    load_s: float
    memory_bytes: int
    ttft_s: float | None
    tokens_per_s: float | None
    trials: tuple[Trial, ...]

    @property
    def complaints(self) -> list[str]:
        return [f"{trial.what}: {trial.complaint}" for trial in self.trials if trial.complaint]


def check_model(door: Door, name: str) -> Report:
    """Load it and try its claims. Raises ModelUnavailable when it is not installed."""
    import anyio

    return anyio.run(_check, door, name)


async def _check(door: Door, name: str) -> Report:
    from orchestrator.runtimes.base import LoadOptions
    from orchestrator.runtimes.registry import load_session

    card, store = door.workspace.card(name), door.store()
    folder = store.folder(name) if card.files else door.workspace.card_folders[name]
    whole = [_trial("files", f"{len(store.verify(name).files)} hashed, as installed")] if card.files else []
    before, started = resident_bytes(), time.perf_counter()
    options = LoadOptions(folder=folder, threads=door.settings.threads, device=door.settings.device)
    session = load_session(card, options)
    load_s = time.perf_counter() - started
    try:
        trials, answers = await _try_all(session, folder)
    finally:
        grown = max(resident_bytes() - before, 0)
        session.close()
    trials.append(_memory(card, grown))
    return Report(
        model=name,
        load_s=load_s,
        memory_bytes=grown,
        ttft_s=_ttft(answers),
        tokens_per_s=_speed(answers),
        trials=(*whole, *trials),
    )


def resident_bytes() -> int:
    """What this process has in memory now."""
    import psutil

    gc.collect()
    return int(psutil.Process().memory_info().rss)


async def _try_all(session: Session, folder: Path) -> tuple[list[Trial], list[Generation]]:
    """Every capability on the card, each with its own trial, and the card's context against the files'."""
    can = session.card.capabilities
    trials: list[Trial] = [*_context(session.card, folder)]
    answers: list[Generation] = []
    if can & {"generate", "json-schema", "logprobs"}:
        some, answers = await _generate(session)
        trials += some
    if "embed" in can:
        trials.append(await _guarded("embed", partial(_embed, session)))
    if "detect-language" in can:
        trials.append(await _guarded("detect-language", partial(_detect, session)))
    for name, attempt in _HEADS.items():
        if name in can:
            trials.append(await _guarded(name, partial(attempt, session)))
    return trials, answers


async def _guarded(what: str, attempt: Callable[[], Awaitable[Trial]]) -> Trial:
    """A claim that ends in an error is a claim that does not hold."""
    try:
        return await attempt()
    except Exception as error:
        return _trial(what, "failed", f"{type(error).__name__}: {error}")


async def _generate(session: Session) -> tuple[list[Trial], list[Generation]]:
    from orchestrator.runtimes.base import Generator

    if not isinstance(session, Generator):
        return [_trial("generate", "failed", f"the {session.card.runtime} runtime does not generate")], []
    answers: list[Generation] = []
    trials = [await _guarded("generate", partial(_answer, session, prompt, answers)) for prompt in PROMPTS]
    if "json-schema" in session.card.capabilities:
        trials.append(await _guarded("json-schema", partial(_keep_schema, session)))
    if "logprobs" in session.card.capabilities:
        trials.append(await _guarded("logprobs", partial(_logprobs, session)))
    return trials, answers


async def _answer(session: Generator, prompt: str, answers: list[Generation]) -> Trial:
    reply = await session.generate(_request(prompt, max_tokens=48))
    answers.append(reply)
    empty = None if reply.text.strip() else f"nothing came back for {prompt!r}"
    return _trial("generate", reply.text.strip(), empty)


async def _keep_schema(session: Generator) -> Trial:
    import jsonschema

    request = _request("Choose a colour and a count. Answer in JSON.", json_schema=SCHEMA, max_tokens=64)
    reply = await session.generate(request)
    try:
        jsonschema.validate(json.loads(reply.text), SCHEMA)
    except (json.JSONDecodeError, jsonschema.ValidationError) as error:
        return _trial("json-schema", reply.text, f"the schema is not kept: {str(error).splitlines()[0]}")
    return _trial("json-schema", reply.text)


async def _logprobs(session: Generator) -> Trial:
    reply = await session.generate(_request(PROMPTS[0], logprobs=True, max_tokens=16))
    found = reply.logprobs
    if not found:
        return _trial("logprobs", "none", "no log-probabilities came back")
    if reply.completion_tokens is not None and len(found) != reply.completion_tokens:
        return _trial("logprobs", "wrong", f"{len(found)} of them for {reply.completion_tokens} tokens")
    if max(found) > 0:
        return _trial("logprobs", "wrong", f"a log-probability of {max(found):.3g} is above 0")
    return _trial("logprobs", f"{len(found)} tokens, mean {sum(found) / len(found):.2f}")


async def _embed(session: Any) -> Trial:
    import numpy as np

    embedder: Embedder = session
    made = await embedder.embed([text for _, text in TEXTS])
    lengths = np.linalg.norm(made.vectors, axis=1)
    shape = f"{made.vectors.shape[0]} texts, {made.vectors.shape[1]} dimensions"
    claimed = session.card.options.get("dimensions")
    if claimed is not None and claimed != made.vectors.shape[1]:
        return _trial("embed", shape, f"the card says {claimed} dimensions")
    if made.vectors.shape[0] != len(TEXTS) or np.abs(lengths - 1).max() > UNIT:
        return _trial("embed", shape, "the vectors do not have length 1")
    per_text = made.duration_s / len(TEXTS)
    return _trial("embed", f"{shape}, {seconds(per_text)} a text")


async def _detect(session: Any) -> Trial:
    detector: LanguageDetector = session
    found = await detector.detect([text for _, text in TEXTS])
    told = ", ".join(f"{language.code} {language.probability:.2f}" for language in found)
    wrong = [code for (code, _), language in zip(TEXTS, found, strict=True) if language.code != code]
    return _trial("detect-language", told, f"plain {', '.join(wrong)} was not recognised" if wrong else None)


def _context(card: ModelCard, folder: Path) -> Iterator[Trial]:
    own = own_context(folder)
    if card.context_tokens is None or own is None:
        return
    told = f"card {card.context_tokens:,}, model {own:,} tokens"
    too_much = None if card.context_tokens <= own else "the card claims more than the model has"
    yield _trial("context", told, too_much)


def own_context(folder: Path) -> int | None:
    """The context that the model's own configuration states, in tokens; None where none does."""
    genai, plain = folder / "genai_config.json", folder / "config.json"
    if genai.is_file():
        value = json.loads(genai.read_text("utf-8")).get("model", {}).get("context_length")
    elif plain.is_file():
        value = json.loads(plain.read_text("utf-8")).get("max_position_embeddings")
    else:
        return None
    return value if isinstance(value, int) else None


def _memory(card: ModelCard, grown: int) -> Trial:
    told = f"{size(grown)} (card: {size(card.memory_bytes)}, a quarter more is let pass)"
    if card.memory_bytes is not None and grown > card.memory_bytes * SLACK:
        return _trial("memory", told, "takes more than the card says")
    return _trial("memory", told)


def _request(prompt: str, **options: Any) -> Any:
    from orchestrator.types import GenerateRequest, Message

    return GenerateRequest(messages=(Message(role="user", content=prompt),), **options)


def _ttft(answers: list[Generation]) -> float | None:
    known = [reply.ttft_s for reply in answers if reply.ttft_s is not None]
    return sum(known) / len(known) if known else None


def _speed(answers: list[Generation]) -> float | None:
    """Tokens a second after the first one."""
    tokens = sum((reply.completion_tokens or 1) - 1 for reply in answers)
    spent = sum(reply.duration_s - reply.ttft_s for reply in answers if reply.ttft_s is not None)
    return tokens / spent if tokens > 0 and spent > 0 else None


def print_report(report: Report) -> None:
    """The figures, what was tried, and the complaints in red."""
    console = to_stdout()
    print_pairs(
        [
            ("model", report.model),
            ("load", seconds(report.load_s)),
            ("memory", f"the process grew by {size(report.memory_bytes)}"),
            ("first token", f"after {seconds(report.ttft_s)}" if report.ttft_s is not None else None),
            ("speed", f"{number(report.tokens_per_s)} tokens/s" if report.tokens_per_s else None),
        ]
    )
    console.print()
    rows = [("✗" if trial.complaint else "✓", trial.what, trial.result) for trial in report.trials]
    print_table(("", "tried", "what came out"), rows)
    for complaint in report.complaints:
        console.print(f"✗ {complaint}", style="red", markup=False)
    if not report.complaints:
        console.print("✓ The card claims nothing that did not hold here.", style="green")


async def _classify(session: Any) -> Trial:
    classifier: Classifier = session
    made = await classifier.classify([text for _, text in TEXTS])
    said = f"{len(classifier.labels)} labels, {seconds(made.duration_s / len(TEXTS))} a text"
    fits = made.probabilities.shape == (len(TEXTS), len(classifier.labels))
    if not fits or abs(made.probabilities.sum(axis=1) - 1).max() > UNIT:
        return _trial("classify", said, "the probabilities of a text do not add up to 1")
    return _trial("classify", said)


async def _tag(session: Any) -> Trial:
    tagger: Tagger = session
    made = await tagger.tag([text for _, text in TEXTS])
    pairs = zip(made.parts, TEXTS, strict=True)
    outside = [p for parts, (_, text) in pairs for p in parts if not p.start < p.end <= len(text)]
    said = f"{sum(map(len, made.parts))} parts, {seconds(made.duration_s / len(TEXTS))} a text"
    return _trial("tag", said, "a part lies outside its text" if outside else None)


async def _score_pairs(session: Any) -> Trial:
    scorer: PairScorer = session
    made = await scorer.score_pairs([(text, text) for _, text in TEXTS])
    said = f"{seconds(made.duration_s / len(TEXTS))} a pair"
    beyond = made.scores.min() < 0 or made.scores.max() > 1
    return _trial("score-pairs", said, "a score lies outside 0 to 1" if beyond else None)


_HEADS = {"classify": _classify, "tag": _tag, "score-pairs": _score_pairs}
