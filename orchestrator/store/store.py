"""The model store: which models are installed, and how they come and go.

    models/<name>-<16 hex of the key>/   an installed model: its files and manifest.json
    sources/                             published files, for training to start from
    downloads/                           fetched and not installed yet (`downloads.py`)
    staging/                             work in progress, private to one process (`staging.py`)
    locks/                               one file per thing that two processes must not do at once

A folder appears under models/ by one rename of a finished, checked, flushed folder, and in no other way.
So kill -9 at any moment leaves either no model or a whole one, and everything else can be deleted.

Nothing is loaded here, and nothing that is not on a card can be installed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from orchestrator.errors import IntegrityError, ModelUnavailable, UnknownName, UserError
from orchestrator.store import safety
from orchestrator.store.converting import CONVERTER, Converted, convert
from orchestrator.store.downloads import Downloads
from orchestrator.store.fetch import Fetch
from orchestrator.store.files import publish, remove
from orchestrator.store.locks import locked
from orchestrator.store.manifest import (
    MANIFEST,
    Manifest,
    Marks,
    card_key,
    check_files,
    describe,
    looks_complete,
    marks_of,
    read_manifest,
    sources_of,
    was_touched,
    write_manifest,
)
from orchestrator.store.plan import PullPlan, installed_plan, make_plan, refuse_if_impossible
from orchestrator.store.progress import Progress, Reporter
from orchestrator.store.resources import Machine
from orchestrator.store.staging import Stage, staged, sweep_stages
from orchestrator.store.unpacking import unpacked
from orchestrator.types import ModelCard

State = Literal["installed", "absent"]
Files = Mapping[str, Path]


class ModelStore:
    """Models on this machine, by the name of their card.

    `environ` is what pip, the hub client and the converter see; `machine` answers how much disk and
    memory there is; `converter` is the module that converts. All three are for tests to replace.
    """

    def __init__(
        self,
        cache_dir: Path,
        cards: Mapping[str, ModelCard],
        card_folders: Mapping[str, Path] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        machine: Machine | None = None,
        converter: Sequence[str] = CONVERTER,
    ) -> None:
        self.cache_dir = cache_dir.absolute()
        self.cards = cards
        self._card_folders = card_folders or {}
        self._environ = os.environ if environ is None else environ
        self._machine = machine or Machine()
        self._converter = converter
        self._downloads = Downloads(self.cache_dir)
        self._seen: dict[Path, tuple[Marks, Manifest]] = {}

    # --- asking ---------------------------------------------------------------------------------------

    def state(self, name: str) -> State:
        """Whether every file of the model is there. A model without files (a remote one) always is."""
        card = self._card(name)
        return "installed" if not card.files or self._installed(card) else "absent"

    def folder(self, name: str) -> Path:
        """Where the installed model lies, to be loaded from there.

        Files that were written to since are hashed again. Raises ModelUnavailable when it is not installed,
        IntegrityError when it is not what was installed.
        """
        card = self._card(name)
        manifest, place = self._require(card), self._place(card)
        if was_touched(place, manifest):
            self.verify(name)
            with contextlib.suppress(OSError):  # a cache that may only be read is hashed each time
                os.utime(place / MANIFEST)
        return place

    def manifest(self, name: str) -> Manifest:
        return self._require(self._card(name))

    def key(self, name: str) -> str | None:
        """What stands for a model's weights and their conversion, or for where it is served; None: absent."""
        card = self._card(name)
        if card.files:
            return card_key(card) if self._installed(card) else None
        return hashlib.sha256(
            card.model_dump_json(include={"name", "runtime", "remote"}).encode()
        ).hexdigest()

    def keys(self) -> dict[str, str]:
        """The key of every model that is here."""
        return {name: key for name in self.cards if (key := self.key(name))}

    def plan(self, name: str) -> PullPlan:
        """What `pull` would take, without doing any of it."""
        card = self._card(name)
        if self._sound(card, Reporter(None)):
            return installed_plan(card, self.cache_dir, self._machine)
        return make_plan(card, self.cache_dir, self._downloads, self._machine)

    def verify(self, name: str) -> Manifest:
        """Hash every file again. Raises IntegrityError that lists what is not as it was installed."""
        manifest = self.manifest(name)
        folder = self._place(self._card(name))
        check_files(folder, manifest)
        safety.check_folder(name, folder)
        return manifest

    # --- changing -------------------------------------------------------------------------------------

    def pull(self, name: str, progress: Progress | None = None) -> Manifest:
        """Fetch, verify, convert and install. A model that is installed and untouched costs nothing.

        Refuses with the figures, before downloading, when there is too little disk or memory. Raises
        StoreError, IntegrityError or NotEnoughResources; none of them leaves anything half installed.
        """
        card = self._card(name)
        if not card.files:
            raise UserError(f"{name!r} runs on {card.runtime!r} and has no files to pull.")
        report = Reporter(progress)
        safety.check_card(card)
        manifest = self._sound(card, report) or self._install_alone(card, report)
        report("done", str(self._place(card)))
        return manifest

    def sources(self, name: str, progress: Progress | None = None) -> Path:
        """The published files of a model, verified, for training to start from; kept until it is removed."""
        card = self._card(name)
        target = self.cache_dir / "sources" / f"{name}-{card_key(card)[:16]}"
        with locked(self._lock(name)), staged(self.cache_dir) as stage:
            if not target.exists():
                made = stage.make("sources")
                fetched, files = self._fetch(card, stage, Reporter(progress))
                for each, path in {**fetched, **files}.items():  # archives too: specialists are made of them
                    (made / each).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, made / each)
                publish(made, target)
                self._downloads.forget(card)
        return target

    def remove(self, name: str) -> int:
        """Delete the model and its downloads. Returns the bytes freed."""
        card = self._card(name)
        with locked(self._lock(name)), staged(self.cache_dir) as stage:
            freed = self._discard([*self._versions(name), *self._kept_sources(name)], stage)
            return freed + self._downloads.forget(card)

    def sweep(self) -> int:
        """Delete what killed pulls left behind, and downloads that no absent model needs any more.

        Downloads are only looked at when no pull is alive anywhere: it may be about to use them, for a
        card that this workspace does not have.
        """
        freed, alive = sweep_stages(self.cache_dir)
        if not alive:
            freed += self._downloads.keep_only(card for card in self.cards.values() if self._is_absent(card))
        return freed

    # --- inside ---------------------------------------------------------------------------------------

    def _card(self, name: str) -> ModelCard:
        if name not in self.cards:
            raise UnknownName("model", name, self.cards)
        return self.cards[name]

    def _lock(self, name: str) -> Path:
        return self.cache_dir / "locks" / f"model-{name}.lock"

    def _place(self, card: ModelCard) -> Path:
        return self.cache_dir / "models" / f"{card.name}-{card_key(card)[:16]}"

    def _versions(self, name: str) -> list[Path]:
        """All installed folders of that name, whatever the card said when they were installed."""
        folder = self.cache_dir / "models"
        pattern = re.compile(re.escape(name) + r"-[0-9a-f]{16}")
        return [p for p in folder.iterdir() if pattern.fullmatch(p.name)] if folder.is_dir() else []

    def _kept_sources(self, name: str) -> list[Path]:
        pattern = re.compile(re.escape(name) + r"-[0-9a-f]{16}")
        return [p for p in (self.cache_dir / "sources").glob("*") if pattern.fullmatch(p.name)]

    def _is_absent(self, card: ModelCard) -> bool:
        return bool(card.files) and self._installed(card) is None

    def _installed(self, card: ModelCard) -> Manifest | None:
        """Read once, and again when one of its files has changed: a route asks of every model."""
        folder = self._place(card)
        if (known := self._seen.pop(folder, None)) and known[0] == marks_of(folder, known[1]):
            self._seen[folder] = known
            return known[1]
        manifest = read_manifest(folder)
        if manifest is None or manifest.key != card_key(card):
            return None
        marks = marks_of(folder, manifest)  # before the check: what changes after it is seen the next time
        if not marks or not looks_complete(folder, manifest):
            return None
        self._seen[folder] = marks, manifest
        return manifest

    def _require(self, card: ModelCard) -> Manifest:
        if manifest := self._installed(card):
            return manifest
        if not card.files:
            raise ModelUnavailable(f"{card.name!r} runs on {card.runtime!r} and has no files.")
        raise ModelUnavailable(
            f"Model {card.name!r} is not installed.", hint=f"Type: lilliput models pull {card.name}"
        )

    def _install_alone(self, card: ModelCard, report: Reporter) -> Manifest:
        """Wait for another process that pulls the same model, and then perhaps find it installed."""
        with locked(self._lock(card.name), lambda: report("wait", f"another process is pulling {card.name}")):
            return self._sound(card, report) or self._install(card, report)

    def _sound(self, card: ModelCard, report: Reporter) -> Manifest | None:
        """The manifest, if the model is installed and nothing in it was changed since."""
        manifest = self._installed(card)
        if manifest is None:
            return None
        try:
            self.folder(card.name)
        except IntegrityError as error:
            report("plan", f"{error.message} It is installed anew.")
            return None
        return manifest

    def _install(self, card: ModelCard, report: Reporter) -> Manifest:
        self.sweep()
        plan = make_plan(card, self.cache_dir, self._downloads, self._machine)
        refuse_if_impossible(plan, card)
        report("plan", plan.text())
        with staged(self.cache_dir) as stage:
            _, files = self._fetch(card, stage, report)
            output = stage.make("output")
            converted = self._convert(card, files, output, stage, report)
            report("install", "checking and hashing the result")
            manifest = self._finish(card, output, converted)
            self._replace(card, output, stage)
        self.sweep()
        return manifest

    def _fetch(self, card: ModelCard, stage: Stage, report: Reporter) -> tuple[Files, Files]:
        """What was fetched, and the model's files in it; by name."""
        folder = self._card_folders.get(card.name)
        fetched = Fetch(card, folder, self._downloads, stage, self._environ, report).run()
        files = unpacked(card, fetched, stage)
        safety.check_files(card.name, files.items())
        return fetched, files

    def _convert(
        self, card: ModelCard, files: Mapping[str, Path], output: Path, stage: Stage, report: Reporter
    ) -> Converted:
        if card.conversion.recipe != "none":
            return convert(
                card,
                files,
                stage=stage,
                output=output,
                environ=self._environ,
                report=report,
                command=self._converter,
            )
        for name, path in files.items():
            target = output / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        return Converted()

    def _finish(self, card: ModelCard, output: Path, converted: Converted) -> Manifest:
        safety.check_folder(card.name, output)
        files = describe(output)
        if not files:
            raise IntegrityError(f"The conversion of {card.name!r} wrote no files.")
        manifest = Manifest(
            model=card.name,
            key=card_key(card),
            sources=sources_of(card),
            files=files,
            conversion=card.conversion,
            installed_at=datetime.now(UTC).isoformat(timespec="seconds"),
            **converted.model_dump(),
        )
        write_manifest(output, manifest)
        return manifest

    def _replace(self, card: ModelCard, output: Path, stage: Stage) -> None:
        """Install; a damaged folder in its place goes first, those of an older card only afterwards.

        Specialists of two workspaces may have the same name, and neither is the older one.
        """
        place = self._place(card)
        if place.exists():
            self._discard([place], stage)
        publish(output, place)
        if not card.specialism:
            self._discard([folder for folder in self._versions(card.name) if folder != place], stage)

    def _discard(self, folders: Sequence[Path], stage: Stage) -> int:
        """Move folders out of models/ in one step each, so that no half-deleted one is ever seen there."""
        freed = 0
        for folder in folders:
            grave = stage.make("removed") / folder.name
            folder.rename(grave)
            freed += remove(grave)
        return freed
