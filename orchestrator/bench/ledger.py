"""What a benchmark run has measured so far: one line of JSON an outcome, on disk before the next case starts.

The folder is named after everything that decides an outcome (see `fingerprint`), so that a run that was
killed goes on where it was, a larger n adds to what is there, and a changed prompt or model starts anew. An
outcome counts once, whatever was killed when: a line that was cut off is dropped, and its case runs again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

import orchestrator
from orchestrator.bench.arms import Key, Once, Outcome
from orchestrator.bench.environment import versions
from orchestrator.bench.spec import Arm, Benchmark
from orchestrator.errors import UserError
from orchestrator.settings import Settings
from orchestrator.store.files import folder_hash, hash_of, replace_text
from orchestrator.store.locks import locked
from orchestrator.types import Json
from orchestrator.workspace import Workspace

_FILE = "outcomes.jsonl"
_MEMORY = "memory.json"
_ONCE = "once.json"
_NOTES: Mapping[str, TypeAdapter[Any]] = {
    _MEMORY: TypeAdapter(dict[str, int]),
    _ONCE: TypeAdapter(dict[str, Once]),
}
_ANSWER = ("llguidance", "numpy", "onnxruntime", "onnxruntime-genai", "tokenizers")
# What of this package decides an outcome or its cost: all but what is done with outcomes.
_AFTERWARDS = ("bench", "cli", "_builtin")
_BEFORE = tuple(
    f"bench/{name}.py" for name in ("arms", "bfcl", "cases", "gauge", "official", "plans", "spec", "table")
)
# What does not change an outcome: words for people, how many cases, the margin they are held to.
_WORDS = {"description", "notes", "repeats"}


class Ledger:
    """The outcomes of one frozen configuration. Only one process at a time may add to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / _FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{folder} cannot be made: {error.strerror}.",
                hint="Set LILLIPUT_STATE_DIR to a folder of yours.",
            ) from error
        self._outcomes = _by_key(self._whole_lines())

    @property
    def outcomes(self) -> list[Outcome]:
        return list(self._outcomes.values())

    @property
    def done(self) -> set[Key]:
        return set(self._outcomes)

    def add(self, outcome: Outcome) -> None:
        """Durable when this returns. A key that is there already is left as it is."""
        if outcome.key in self._outcomes:
            return
        line = outcome.model_dump_json(exclude_none=True).encode() + b"\n"
        try:
            with self._path.open("ab") as stream:
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise UserError(
                f"{self._path} cannot be written: {error.strerror}.",
                hint="Make room, or mend its rights; the same command goes on from there.",
            ) from error
        self._outcomes[outcome.key] = outcome

    @property
    def memory_bytes(self) -> dict[str, int]:
        """The most that each model was seen to take."""
        return self._noted(_MEMORY)

    def note_memory(self, taken: Mapping[str, int]) -> None:
        known = self.memory_bytes
        self._note(_MEMORY, {name: max(known.get(name, 0), size) for name, size in taken.items()})

    @property
    def once(self) -> dict[str, Once]:
        """By arm, what was done before the first case, as it was last seen."""
        return self._noted(_ONCE)

    def note_once(self, seen: Mapping[str, Once]) -> None:
        self._note(_ONCE, seen)

    def _noted(self, file: str) -> dict[str, Any]:
        path = self.folder / file
        try:
            return dict(_NOTES[file].validate_json(path.read_bytes())) if path.exists() else {}
        except (OSError, ValidationError) as error:
            raise UserError(f"{path} is damaged.", hint=f"Delete it and run again: rm '{path}'") from error

    def _note(self, file: str, seen: Mapping[str, Any]) -> None:
        noted = {**self._noted(file), **seen}
        replace_text(self.folder / file, _NOTES[file].dump_json(noted).decode())

    @contextmanager
    def alone(self, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """A context in which no other process adds to it; what others added before is taken in.

        `on_wait` is called once if another process has it. What a kill cut off is cut from the file here,
        where nobody is in the middle of a line, or the next one would join it.
        """
        with locked(self.folder / "lock", on_wait):
            whole = self._whole_lines()
            if self._path.is_file() and len(whole) < self._path.stat().st_size:
                os.truncate(self._path, len(whole))
            self._outcomes = _by_key(whole)
            yield

    def _whole_lines(self) -> bytes:
        try:
            data = self._path.read_bytes() if self._path.exists() else b""
        except OSError as error:
            raise UserError(
                f"{self._path} cannot be read: {error.strerror}.", hint=f"Mend it, or delete {self.folder}."
            ) from error
        return data[: data.rfind(b"\n") + 1]


def _by_key(lines: bytes) -> dict[Key, Outcome]:
    """Every line that can be read. Of two for the same key the first one counts."""
    found: dict[Key, Outcome] = {}
    for line in lines.splitlines():
        try:
            outcome = Outcome.model_validate_json(line)
        except ValidationError:
            continue
        found.setdefault(outcome.key, outcome)
    return found


class Decisive(NamedTuple):
    """What decides the outcomes beside the benchmark and its agents. `models`: their keys by name."""

    settings: Settings
    data_hash: str
    models: Mapping[str, str]
    score_file: Path


def fingerprint(workspace: Workspace, benchmark: Benchmark, used_with: Decisive) -> dict[str, str]:
    """What decides the outcomes and their costs, as hashes by name: cases and arms, data, models, prompts,
    code, and the machine as it is declared and used.
    """
    spec = benchmark.model_dump(mode="json", exclude=_WORDS | {"families"})
    for arm in spec["arms"]:
        arm.pop("description")
    used = {
        "benchmark": hash_of(spec),
        "data": used_with.data_hash,
        "score": _hash_file(used_with.score_file),
        "code": code_hash(),
        "packages": hash_of(versions(_ANSWER)),
        "machine": hash_of(_machine(workspace, used_with.settings)),
        **{f"model {name}": key for name, key in used_with.models.items()},
    }
    for arm in benchmark.arms:
        used |= _prompts(workspace, arm)
    return dict(sorted(used.items()))


def _machine(workspace: Workspace, settings: Settings) -> Json:
    declared = workspace.machine(settings.machine).model_dump(mode="json")
    return {"declared": declared, "threads": settings.threads, "device": settings.device}


@cache
def code_hash() -> str:
    """Of the modules of this package that decide an outcome or its cost."""
    return hash_of({name: _hash_file(file) for name, file in hashed_files().items()})


def hashed_files() -> dict[str, Path]:
    """Those modules, by their place in the package."""
    root = Path(orchestrator.__file__).parent
    files = {file.relative_to(root).as_posix(): file for file in sorted(root.rglob("*.py"))}
    return {n: file for n, file in files.items() if n.split("/")[0] not in _AFTERWARDS or n in _BEFORE}


def prompt_hashes(workspace: Workspace, benchmark: Benchmark) -> dict[str, str]:
    """By arm: one hash over its workflow and its agents' folders, which hold all that models are told."""
    return {arm.name: hash_of(_prompts(workspace, arm)) for arm in benchmark.arms}


def key_of(parts: Mapping[str, str]) -> str:
    return hash_of(dict(parts))[:16]


def _prompts(workspace: Workspace, arm: Arm) -> dict[str, str]:
    agents, used = {arm.agent}, {}
    if arm.workflow:
        agents |= {step.agent for step in workspace.workflow(arm.workflow).steps}
        used[f"workflow {arm.workflow}"] = _hash_file(workspace.workflows[arm.workflow].file)
    folders = {name: workspace.agents[name].folder for name in agents if name}
    return used | {f"agent {name}": folder_hash(folder) for name, folder in sorted(folders.items())}


def _hash_file(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
