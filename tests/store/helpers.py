"""What the store's tests build their worlds from: wheels, cards, a store in a temporary folder."""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.store import Machine, ModelStore, PullEvent
from orchestrator.types import Conversion, ModelCard, ModelFile

REPOSITORY = Path(__file__).parents[2]
PLENTY = Machine(disk_free_bytes=lambda _: 10**12, memory_available_bytes=lambda: 10**12)
FAKE_CONVERTER = ("tests.store.fake_converter",)
FAKE = Conversion(recipe="encoder-to-onnx", precision="int8")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_wheel(folder: Path, name: str, files: Mapping[str, bytes], version: str = "1.0") -> Path:
    """A wheel that pip accepts."""
    info = f"{name}-{version}.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_record_hash(data)},{len(data)}\n" for path, data in content.items())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in {**content, f"{info}/RECORD": f"{record}{info}/RECORD,,\n".encode()}.items():
            archive.writestr(member, data)
    return path


def _record_hash(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"


def model_file(name: str, content: bytes, *parts: str, **changes: Any) -> ModelFile:
    """A file of a card that has `content` when it is whole."""
    values = {"name": name, "parts": parts, "sha256": sha256(content), "size_bytes": len(content)}
    return ModelFile(**{**values, **changes})


def make_card(*files: ModelFile, name: str = "tiny", **changes: Any) -> ModelCard:
    values: dict[str, Any] = {
        "name": name,
        "description": "a test",
        "licence": "MIT",
        "origin": "nowhere",
        "runtime": "encoder",
        "capabilities": ["embed"],
        "files": files,
    }
    return ModelCard.model_validate({**values, **changes})


@dataclass
class World:
    """A temporary machine: a cache, a folder of wheels that pip finds, a folder of cards."""

    root: Path
    environ: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.wheels = self.root / "wheels"
        self.cards = self.root / "cards"
        self.cache = self.root / "cache"
        for folder in (self.wheels, self.cards):
            folder.mkdir()
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "PYTHONPATH": str(REPOSITORY),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
        }

    def store(
        self, *cards: ModelCard, machine: Machine = PLENTY, environ: Mapping[str, str] | None = None
    ) -> ModelStore:
        return ModelStore(
            self.cache,
            {card.name: card for card in cards},
            {card.name: self.cards for card in cards},
            environ={**self.environ, **(environ or {})},
            machine=machine,
            converter=FAKE_CONVERTER,
        )

    def put(self, name: str, content: bytes) -> str:
        """Write a file beside the cards; returns the part that names it."""
        (self.cards / name).write_bytes(content)
        return f"file:{name}"

    def leftovers(self) -> list[str]:
        """Everything in the cache that is neither an installed model nor a lock."""
        kept = ("models", "locks")
        files = (path for path in self.cache.rglob("*") if path.is_file())
        names = (path.relative_to(self.cache) for path in files)
        return sorted(str(name) for name in names if name.parts[0] not in kept)


class Heard:
    """A progress callback that remembers."""

    def __init__(self) -> None:
        self.events: list[PullEvent] = []

    def __call__(self, event: PullEvent) -> None:
        self.events.append(event)

    def stages(self) -> list[str]:
        return [event.stage for event in self.events]

    def of(self, stage: str) -> Sequence[PullEvent]:
        return [event for event in self.events if event.stage == stage]
