"""What a model folder may not hold: anything that runs code when it is loaded, or leads out of the folder.

Model files come from strangers. Data formats that only describe arrays (safetensors, ONNX, GGUF, fastText)
are read by code that we trust; a pickle *is* code, a custom-op library is machine code, and `auto_map`
makes transformers import Python from the model's folder. A symbolic or hard link, or an ONNX data location
with `..`, would make a model read, or a later `rm` delete, somebody else's file. (onnxruntime refuses
symbolic links for external data but follows hard links, so a link count above 1 is refused too.)

This refuses what is known to be dangerous. It does not prove that a parser has no bug.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from orchestrator.errors import IntegrityError
from orchestrator.store.files import regular_files
from orchestrator.store.manifest import MANIFEST
from orchestrator.store.onnxfile import external_locations
from orchestrator.types import ModelCard

_PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".dill"}
_CODE = {".py", ".pyc", ".pyo", ".pyd", ".sh", ".exe", ".bat", ".js"}
_LIBRARY = re.compile(r"\.(so|dll|dylib)(\.[0-9.]+)?$", re.IGNORECASE)
_MACHINE_CODE = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
# Keys that make a loader run code from the model's folder.
_CODE_KEYS = {"auto_map", "custom_pipelines", "custom_ops_library", "custom_op_library", "library_path"}
_PATH_KEYS = {"filename", "file_name", "adapter_filename", "config_filename"}


def check_card(card: ModelCard) -> None:
    """Refuse by name alone, before anything is downloaded."""
    for name in (name for file in card.files for name in file.brings):
        if reason := _bad_name(name):
            raise _refused(card.name, name, reason)
        if name == MANIFEST:
            raise _refused(card.name, name, "that name is kept for the store's own manifest")


def check_folder(model: str, folder: Path) -> None:
    """Refuse a folder by what is in it. Raises IntegrityError that names the file and the reason."""
    for path in regular_files(folder):
        name = path.relative_to(folder).as_posix()
        if reason := next(_reasons(path, name), None):
            raise _refused(model, name, reason)


def check_files(model: str, files: Iterable[tuple[str, Path]]) -> None:
    """The same for fetched files that do not lie under their names yet; links are not looked at."""
    for name, path in files:
        if reason := next(_bad_content(path, name), None):
            raise _refused(model, name, reason)


def _reasons(path: Path, name: str) -> Iterator[str]:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        yield "it is a link or a special file, not a plain file"
    elif status.st_nlink != 1:
        yield f"it has {status.st_nlink} hard links, so it may be another program's file"
    elif reason := _bad_name(name):
        yield reason
    else:
        yield from _bad_content(path, name)


def _bad_name(name: str) -> str | None:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _PICKLES:
        return "a pickle runs code when it is read"
    if suffix in _CODE:
        return "code is never part of a model"
    if _LIBRARY.search(name):
        return "a custom-op library is machine code"
    return None


def _bad_content(path: Path, name: str) -> Iterator[str]:
    suffix = PurePosixPath(name).suffix.lower()
    with path.open("rb") as stream:
        head = stream.read(4)
    if head.startswith(_MACHINE_CODE):
        yield "it is machine code"
    if suffix == ".bin" and (head[:2] == b"PK" or (head[:1] == b"\x80" and head[1:2] in b"\2\3\4\5")):
        yield "it is a torch pickle, which runs code when it is read; use the safetensors file"
    if suffix == ".json":
        yield from _bad_json(path)
    if suffix == ".onnx":
        yield from (f"its weights lie at {place!r}, outside the model's folder" for place in _outside(path))


def _bad_json(path: Path) -> Iterator[str]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        yield f"it is not JSON: {error}"
        return
    for key, value in _entries(content):
        if key in _CODE_KEYS or (key == "trust_remote_code" and value):
            yield f"its key {key!r} makes a loader run code"
        if key in _PATH_KEYS and isinstance(value, str) and not _is_inside(value):
            yield f"its key {key!r} points to {value!r}, outside the model's folder"


def _entries(content: Any) -> Iterator[tuple[str, Any]]:
    """Every key and value in it, however deep. A stack, because the nesting is the stranger's choice."""
    todo = [content]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            yield from item.items()
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)


def _outside(path: Path) -> Iterator[str]:
    return (place for place in external_locations(path) if not _is_inside(place))


def _is_inside(place: str) -> bool:
    path = PurePosixPath(place.replace("\\", "/"))
    return not (path.is_absolute() or ".." in path.parts or re.match(r"^[A-Za-z]:", place))


def _refused(model: str, name: str, reason: str) -> IntegrityError:
    return IntegrityError(
        f"Model {model!r} is refused because of {name!r}: {reason}.",
        hint="Nothing was installed. Choose another source for this model, or drop that file from its card.",
    )
