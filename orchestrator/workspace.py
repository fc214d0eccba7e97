"""Find, read and validate the content folders: model cards, agents, workflows, machines.

A workspace is a folder with `agents/ models/ benchmarks/ configs/`. The built-in one is the repository
root (or `orchestrator/_builtin` in an installed wheel); a user's own is laid over it and wins by name.
Only data is read here. Python beside the data is loaded by `tools.py` and `agent.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import jsonschema
from pydantic import ConfigDict, Field, model_validator

from orchestrator import promoted
from orchestrator.errors import ContentError, UnknownName, UserError
from orchestrator.types import (
    AgentSpec,
    Calibration,
    CalibrationFile,
    Evidence,
    EvidenceFile,
    Learns,
    ModelCard,
    Record,
    WorkflowSpec,
)
from orchestrator.yamlfile import YamlFile, parse_yaml, read_yaml

MARKER = Path("configs/lilliput.yaml")
T = TypeVar("T")


FIGURES = (
    "cpu_watts_per_core",
    "idle_watts",
    "usd_per_kwh",
    "purchase_usd",
    "lifetime_years",
    "grams_co2e_per_kwh",
)


class Machine(Record):
    """What a machine costs to run. Every figure is declared, with where it was taken from.

    `cpu_watts_per_core` is the extra draw of one busy core, `idle_watts` that of the whole machine at rest.
    `source`: one text for all figures, or one for each of them by name.
    """

    name: str
    description: str = ""
    cpu_watts_per_core: float = Field(gt=0)
    idle_watts: float = Field(ge=0)
    usd_per_kwh: float | None = Field(default=None, ge=0)
    purchase_usd: float | None = Field(default=None, ge=0)
    lifetime_years: float | None = Field(default=None, gt=0)
    grams_co2e_per_kwh: float | None = Field(default=None, ge=0)
    source: str | dict[str, str]

    @model_validator(mode="after")
    def _a_source_for_every_figure(self) -> Self:
        if isinstance(self.source, dict):
            given = {name for name in FIGURES if getattr(self, name) is not None}
            if missing := sorted(given - self.source.keys()):
                raise ValueError(f"`source` says nothing about {', '.join(missing)}")
            if unknown := sorted(self.source.keys() - set(FIGURES)):
                raise ValueError(f"`source` names no figure: {', '.join(unknown)}")
        return self

    @property
    def sources(self) -> dict[str, str]:
        """Where each figure that is given was taken from."""
        given = [name for name in FIGURES if getattr(self, name) is not None]
        return {name: self.source if isinstance(self.source, str) else self.source[name] for name in given}


class Entry(Record):
    """One thing that was read, and the file that it came from."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    file: Path
    spec: Any
    yaml: YamlFile

    @property
    def folder(self) -> Path:
        return self.file.parent


class _View(Mapping[str, T]):
    """One property of each entry, read when it is asked for."""

    def __init__(self, entries: Mapping[str, Entry], of: Callable[[Entry], T]) -> None:
        self._entries = entries
        self._of = of

    def __getitem__(self, name: str) -> T:
        return self._of(self._entries[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class Workspace:
    """Everything that the content folders declare. `problems` holds what could not be read."""

    def __init__(self, roots: tuple[Path, ...]) -> None:
        self.roots = roots
        self.problems: list[ContentError] = []
        self._cards = self._read("models/*.yaml", _named_after_its_file(ModelCard))
        self._promoted_stamp: object = None
        self._limited = False
        self.refresh()
        self._agents = self._read("agents/*/agent.md", _agent)
        self._workflows = self._read("configs/workflows/*.yaml", _workflow)
        self._machines = self._read("configs/machines/*.yaml", _named_after_its_file(Machine))
        self._calibrated = self._read("models/calibrated/*.yaml", _named_after_its_file(CalibrationFile))
        self._evidence = self._read("models/evidence/*.yaml", _named_after_its_file(EvidenceFile))

    def _read(self, pattern: str, read: Callable[[Path], Entry]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for root in self.roots:
            for file in sorted(root.glob(pattern)):
                try:
                    entry = read(file)
                    found[entry.spec.name] = entry
                except ContentError as error:
                    self.problems.append(error)
        return found

    def refresh(self) -> None:
        """Read the specialists again, if one was promoted, rolled back or added since the last time.

        `cards` and `card_folders` are views: who holds them sees what is here now.
        """
        now = promoted.stamp(self.roots)
        if now != self._promoted_stamp:
            self.reread(now)

    def reread(self, stamp: object = None) -> None:
        """Read the specialists again. A workspace that is limited to some models stays as it is."""
        if self._limited:
            return
        self._promoted_stamp = stamp
        found = self._read("models/specialists/*/*.yaml", _named_after_its_file(ModelCard))
        answering = frozenset().union(*(promoted.read_promoted(root).current() for root in self.roots))
        for name, entry in found.items():
            if entry.spec.role == "candidate" and name in answering:
                found[name] = entry.model_copy(
                    update={"spec": entry.spec.model_copy(update={"role": "crew"})}
                )
        self.problems += [_lost(name) for name in sorted(answering - found.keys())]
        self._cards.update(found)

    @property
    def cards(self) -> Mapping[str, ModelCard]:
        return _View(self._cards, lambda entry: entry.spec)

    @property
    def agents(self) -> dict[str, Entry]:
        return self._agents

    @property
    def workflows(self) -> dict[str, Entry]:
        return self._workflows

    @property
    def card_folders(self) -> Mapping[str, Path]:
        return _View(self._cards, lambda entry: entry.folder)

    @property
    def tool_files(self) -> list[Path]:
        """Every `tools.py`, weakest workspace first, so that a user's tool replaces a built-in one."""
        return [file for root in self.roots for file in sorted(root.glob("agents/*/tools.py"))]

    @property
    def settings_files(self) -> list[Path]:
        return [root / MARKER for root in self.roots]

    def card(self, name: str) -> ModelCard:
        card: ModelCard = self._one("model", name, self._cards).spec
        return card

    def agent(self, name: str) -> AgentSpec:
        spec: AgentSpec = self._one("agent", name, self._agents).spec
        return spec

    def workflow(self, name: str) -> WorkflowSpec:
        spec: WorkflowSpec = self._one("workflow", name, self._workflows).spec
        return spec

    def machine(self, name: str) -> Machine:
        machine: Machine = self._one("machine", name, self._machines).spec
        return machine

    def _one(self, kind: str, name: str, entries: Mapping[str, Entry]) -> Entry:
        """Raises the mistake in its file where it is there and broken, else UnknownName."""
        place = (name, "agent.md") if kind == "agent" else (f"{kind}s", f"{name}.yaml")
        for problem in self.problems if name not in entries else ():
            if problem.file.parts[-2:] == place:
                raise problem
        return _pick(kind, name, entries)

    def evidence(self, model: str) -> tuple[Evidence, ...]:
        """What was found out about a model; the strongest workspace's file counts."""
        entry = self._evidence.get(model)
        return entry.spec.evidence if entry else ()

    def calibrations(self, agent: str) -> tuple[Calibration, ...]:
        """The thresholds that were proven for an agent; the strongest workspace's file counts."""
        entry = self._calibrated.get(agent)
        return entry.spec.calibrations if entry else ()

    def limited_to(self, models: Iterable[str]) -> Workspace:
        """The same workspace with only these models, so that nothing depends on what else is installed."""
        limited = copy.copy(self)
        limited._limited = True
        limited._cards = {name: _pick("model", name, self._cards) for name in models}
        return limited

    def insist(self) -> None:
        """Raise the first problem, if there is one, and say how many more there are."""
        if not self.problems:
            return
        first, *more = self.problems
        hint = f"({len(more)} more; `lilliput doctor` lists them.)" if more else first.hint
        raise ContentError(first.message.split(": ", 1)[1], file=first.file, line=first.line, hint=hint)


def builtin_root() -> Path:
    """The content that came with the package: beside it in a checkout, inside it in a wheel."""
    package = Path(__file__).parent
    inside = package / "_builtin"
    return inside if inside.is_dir() else package.parent


def find_workspace(folder: Path | None = None, start: Path | None = None) -> Workspace:
    """Lay a user's workspace over the built-in one.

    `folder` names it; else the nearest parent of `start` with a `configs/lilliput.yaml` is taken. The marker
    is asked for because Python from a workspace is run: an unrelated `models/` folder must not count.
    """
    builtin = builtin_root().resolve()
    if folder is not None and not folder.is_dir():
        raise UserError(
            f"Workspace {str(folder)!r} is not a folder.", hint=f"Create it: mkdir -p {folder}/configs"
        )
    own = folder or _marked_parent(start or Path.cwd())
    roots = (builtin,) if own is None or own.resolve() == builtin else (builtin, own.resolve())
    return Workspace(roots)


def _marked_parent(start: Path) -> Path | None:
    return next((place for place in (start, *start.parents) if (place / MARKER).is_file()), None)


def _pick(kind: str, name: str, entries: Mapping[str, Entry]) -> Entry:
    if name not in entries:
        raise UnknownName(kind, name, entries, hint=None)
    return entries[name]


# --- one reader per kind of file ------------------------------------------------------------------------


def _lost(specialist: str) -> ContentError:
    line = specialist.rpartition("-")[0]
    said = f"{specialist} was promoted, and its folder is not there"
    return ContentError(said, file=promoted.FILE, hint=f"Type: lilliput learn rollback {line}")


def _named_after_its_file(model: type[Record]) -> Callable[[Path], Entry]:
    def read(file: Path) -> Entry:
        yaml = read_yaml(file)
        return Entry(file=file, spec=_named(yaml, yaml.validate(model), file.stem), yaml=yaml)

    return read


def _workflow(file: Path) -> Entry:
    yaml = read_yaml(file)
    data = dict(yaml.data)
    steps = data.get("steps")
    if isinstance(steps, dict):
        data["steps"] = [{"id": key, **(value or {})} for key, value in steps.items()]
        yaml = _Renumbered(yaml, list(steps))
    spec = _named(yaml, yaml.validate(WorkflowSpec, data), file.stem)
    _check_schema(yaml, spec.input, "input")
    return Entry(file=file, spec=spec, yaml=yaml)


class _Renumbered(YamlFile):
    """Workflow steps are written as a mapping and validated as a list: index -> the step's own name."""

    def __init__(self, yaml: YamlFile, names: list[str]) -> None:
        super().__init__(yaml.file, yaml.data, yaml._lines)
        self._names = names

    def line_of(self, path: Any) -> int:
        path = tuple(path)
        if len(path) > 1 and path[0] == "steps" and isinstance(path[1], int):
            path = ("steps", self._names[path[1]], *path[2:])
        return super().line_of(path)


def _agent(file: Path) -> Entry:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(f"cannot be read as UTF-8 text: {error}", file=file) from error
    if not text.startswith("---\n") or "\n---" not in text[4:]:
        raise ContentError("must start with YAML between two lines of `---`", file=file, line=1)
    header, body = text[4:].split("\n---", 1)
    yaml = parse_yaml(header, file, first_line=2)
    body_line = header.count("\n") + 4
    data = {**yaml.data, **_prompt(body, file, body_line)}
    spec = _named(yaml, yaml.validate(AgentSpec, data), file.parent.name)
    for field in ("input", "output"):
        _check_schema(yaml, getattr(spec, field), field)
    _check_agent(yaml, spec, has_code=(file.parent / "answer.py").is_file())
    return Entry(file=file, spec=spec, yaml=yaml)


def _prompt(body: str, file: Path, first_line: int) -> dict[str, str]:
    """Split the body at its `# System` and `# User` headings."""
    parts: dict[str, list[str]] = {}
    current: list[str] | None = None
    for number, line in enumerate(body.split("\n")[1:], start=first_line):
        heading = line.strip().lower()
        if heading in ("# system", "# user"):
            current = parts.setdefault(heading[2:], [])
        elif current is not None:
            current.append(line)
        elif line.strip():
            message = f"text before the `# System` or `# User` heading: {line.strip()[:40]!r}"
            raise ContentError(message, file=file, line=number)
    return {name: "\n".join(lines).strip() for name, lines in parts.items()}


def _check_agent(yaml: YamlFile, spec: AgentSpec, *, has_code: bool) -> None:
    if not has_code and spec.user is None:
        raise yaml.error(
            f"agent {spec.name!r} has neither a `# User` prompt nor an answer.py, so nothing can answer"
        )
    if spec.output is None and spec.output_from is None:
        raise yaml.error("`output` is missing: give a JSON schema, or `output_from: <input>`")
    inputs = spec.input.get("properties", {})
    if spec.output_from and spec.output_from not in inputs:
        raise yaml.error(f"`output_from: {spec.output_from}` is not one of the inputs", ("output_from",))
    if spec.learns:
        _check_learns(yaml, spec, spec.learns)


def _check_learns(yaml: YamlFile, spec: AgentSpec, learns: Learns) -> None:
    """What is learnt from and what is learnt must be there, or no example would ever fit."""
    inputs, outputs = (set((part or {}).get("properties", {})) for part in (spec.input, spec.output))
    wanted = {"text": (learns.text,), "choices": (learns.choices,), "fixed": learns.fixed}
    for field, names in wanted.items():
        if missing := [name for name in names if name and name not in inputs]:
            raise yaml.error(f"`learns: {field}` names {missing[0]!r}, which is no input", ("learns", field))
    if spec.output and learns.answer not in outputs:
        said = f"`learns: answer` names {learns.answer!r}, which is no output"
        raise yaml.error(said, ("learns", "answer"))


def _named(yaml: YamlFile, spec: T, expected: str) -> T:
    name = getattr(spec, "name", None)
    if name != expected:
        raise yaml.error(f"`name: {name}` must equal the name of its file or folder, {expected!r}", ("name",))
    return spec


def _check_schema(yaml: YamlFile, schema: Any, field: str) -> None:
    if schema is None:
        return
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        path = (field, *error.absolute_path)
        raise yaml.error(
            f"`{'.'.join(map(str, path))}` is not a JSON schema: {error.message}", path
        ) from None
