"""Settings: one frozen object, made once at the door (CLI, API, test) and passed in; never global.

A value comes from, strongest first: an argument, an environment variable `LILLIPUT_<NAME>`, a
workspace's `configs/settings.yaml`, the default below. `load_settings` also tells where each came from,
which is why it merges the layers itself: `lilliput doctor` prints them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import yaml
from pydantic import Field, ValidationError

from orchestrator.errors import ContentError, UnknownName, UserError
from orchestrator.types import Device, Record

PREFIX = "LILLIPUT_"


def _user_folder(variable: str, fallback: str) -> Path:
    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / fallback) / "lilliput"


def usable_cpus() -> int:
    """CPUs that this process may use: native threads follow these, not the machine's count."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(Record):
    """What the product needs to know about this machine and its user's wishes."""

    cache_dir: Path = Field(
        default_factory=lambda: _user_folder("XDG_CACHE_HOME", ".cache"),
        description="models and downloads; safe to delete",
    )
    state_dir: Path = Field(
        default_factory=lambda: _user_folder("XDG_STATE_HOME", ".local/state"),
        description="the records of runs; not safe to delete",
    )
    data_dir: Path | None = Field(default=None, description="data sets that no registry has (benchmarks)")
    device: Device = Field(default="auto", description="cpu, cuda or auto")
    threads: int = Field(default_factory=usable_cpus, gt=0, description="threads that a model may use")
    memory_budget_bytes: int = Field(
        default_factory=lambda: int(psutil.virtual_memory().available * 0.7),
        gt=0,
        description="memory that loaded models may take together",
    )
    route: str = Field(default="cascade", description="routing policy when a task names none")
    controller_model: str = Field(default="qwen2.5-coder-0.5b", description="the model that writes plans")
    reference_model: str = Field(default="qwen2.5-coder-1.5b", description="the model to judge against")
    machine: str = Field(default="default", description="configs/machines/<name>.yaml, with watts and prices")


class LoadedSettings(Record):
    """Settings and, for each field, where its value came from."""

    settings: Settings
    origins: dict[str, str]


def load_settings(
    files: Sequence[Path] = (),
    environ: Mapping[str, str] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> LoadedSettings:
    """Merge the layers. `files`: candidates, weakest first; those that do not exist are skipped.

    Raises ContentError or UserError with the field, the value and what is allowed.
    """
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, "default")
    for file in files:
        if file.is_file():
            _merge(values, origins, _read(file), str(file))
    environ = os.environ if environ is None else environ
    from_environment = {
        name: environ[PREFIX + name.upper()]
        for name in Settings.model_fields
        if environ.get(PREFIX + name.upper())
    }
    for name, value in from_environment.items():
        _merge(values, origins, {name: value}, PREFIX + name.upper())
    _merge(values, origins, {k: v for k, v in (arguments or {}).items() if v is not None}, "argument")
    try:
        return LoadedSettings(settings=Settings(**values), origins=origins)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        origin = origins.get(name, "argument")
        if first["type"] == "extra_forbidden":
            raise UnknownName(f"setting in {origin}:", name, Settings.model_fields) from None
        raise UserError(
            f"Setting {name!r} from {origin} is not usable: {first['input']!r}: {first['msg']}.",
            hint="Correct it there; docs/settings.md lists what is allowed.",
        ) from error


def _merge(values: dict[str, Any], origins: dict[str, str], layer: Mapping[str, Any], origin: str) -> None:
    values.update(layer)
    origins.update(dict.fromkeys(layer, origin))


def _read(file: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(file.read_text("utf-8")) or {}
    except yaml.YAMLError as error:
        raise ContentError(f"not YAML: {error}", file=file) from error
    if not isinstance(data, dict):
        raise ContentError("settings must be a mapping of names to values", file=file, line=1)
    return data
