"""Make training rows for a Dutch specialist: English rows, and what the larger model translates of them.

    python benchmarks/xsid/dutch.py OUT.jsonl        # LILLIPUT_DATA_DIR names the folder of data sets
    python benchmarks/xsid/dutch.py --labels         # the sixteen intents, of which one is in no row

There is no Dutch training data: the 300 Dutch sentences are what is measured. So the larger model translates
the English ones. Added are requests of SNIPS, whose seven intents are among the sixteen. An English sentence
whose Dutch translation is measured is left out, in both. Of every ten sentences one is to choose by, with its
translation. Translations are runs in the records: one that was interrupted goes on.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.bench.data import named_dataset
from orchestrator.controller import open_controller
from orchestrator.learning.collect import need_learns
from orchestrator.learning.distil import distil
from orchestrator.records import Records
from orchestrator.settings import Settings, load_settings
from orchestrator.store.files import replace_text
from orchestrator.tools import load_module
from orchestrator.workspace import Workspace, builtin_root

HERE = Path(__file__).parent
SNIPS = {
    "AddToPlaylist": "add to playlist",
    "BookRestaurant": "book restaurant",
    "GetWeather": "weather find",
    "PlayMusic": "play music",
    "RateBook": "rate book",
    "SearchCreativeWork": "search creative work",
    "SearchScreeningEvent": "search screening event",
}
INTO = {"into": "Dutch"}
MOST_ENGLISH, MOST_TRANSLATED, DEV_EVERY = 100, 40, 10


class Sentence(NamedTuple):
    text: str
    label: str
    split: str
    translate: bool


def sentences(settings: Settings) -> Iterator[Sentence]:
    """English ones: all of xSID's that may be learnt from, and some of SNIPS for each of its intents."""
    xsid, snips = (load_module(HERE.parent / name / "score.py") for name in ("xsid", "snips-intents"))
    ours, theirs = _files("xsid", settings), _files("snips", settings)
    measured = xsid.originals(ours)
    for number, (text, label) in enumerate(xsid.learned(ours)):
        yield Sentence(text, label, _split(number), True)
    rows: dict[str, list[str]] = {}
    for case in snips.training(theirs):
        rows.setdefault(case.id.split("_")[1], []).append(case.inputs["text"])
    for intent, texts in rows.items():
        fresh = [text for text in texts if text.lower() not in measured]
        for number, text in enumerate(fresh[:MOST_ENGLISH]):
            yield Sentence(text, SNIPS[intent], _split(number), number < MOST_TRANSLATED)


async def main(out: Path) -> None:
    settings = load_settings().settings
    every = list(sentences(settings))
    dutch = await translated([each.text for each in every if each.translate], settings)
    made = [_row(each.text, each) for each in every]
    made += [_row(dutch[each.text], each) for each in every if each.translate]
    replace_text(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made))
    sys.stderr.write(f"{len(made)} rows: {out}\n")


async def translated(texts: list[str], settings: Settings) -> dict[str, str]:
    """Raises KeyError in `main` for a text that the model failed at."""
    workspace = Workspace((builtin_root(), HERE))
    learns = need_learns(workspace.agent("translate"))
    records = Records(settings.state_dir / "runs.sqlite")
    async with open_controller(workspace, settings) as controller:
        await distil(controller, records, "translate", learns, INTO, texts, _told)
    steps = records.steps_of("translate")
    return {step.inputs["text"]: step.output["translation"] for step in steps if step.output}


def _told(done: int, of: int) -> None:
    if done % 20 == 0:
        sys.stderr.write(f"{done} of {of} translated\n")


def _row(text: str, sentence: Sentence) -> dict[str, Any]:
    return {"text": text, "label": sentence.label, "split": sentence.split}


def _split(number: int) -> str:
    return "dev" if number % DEV_EVERY == 0 else "train"


def _files(name: str, settings: Settings) -> Any:
    return named_dataset((builtin_root(),), name, settings).files


def labels(settings: Settings) -> list[str]:
    xsid = load_module(HERE.parent / "xsid" / "score.py")
    case = next(iter(xsid.read_cases(_files("xsid", settings), "nl")))
    found: list[str] = case.inputs["labels"]
    return found


if __name__ == "__main__":
    if sys.argv[1] == "--labels":
        sys.stdout.write(json.dumps(labels(load_settings().settings)))
    else:
        asyncio.run(main(Path(sys.argv[1])))
