"""What a record must say about where it was made: machine, versions, commit.

Nothing that identifies a person is read: no host name, user name or path.
"""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import psutil

from orchestrator.settings import usable_cpus
from orchestrator.types import Record

PACKAGES = (
    "lilliput",
    "llguidance",
    "numpy",
    "onnxruntime",
    "onnxruntime-genai",
    "pydantic",
    "tokenizers",
    "torch",
)
_CPU_INFO = Path("/proc/cpuinfo")


class Commit(Record):
    """The commit of a checkout, and whether tracked files had been changed since."""

    id: str
    dirty: bool


class Environment(Record):
    """Where something was measured. `commit` is None outside a git checkout."""

    os: str
    python: str
    cpu: str
    usable_cpus: int
    memory_bytes: int
    packages: dict[str, str]
    commit: Commit | None = None


def stamp(made_at: str) -> str:
    """An ISO time in UTC as the name of a file: 20260102T030405Z."""
    return datetime.fromisoformat(made_at).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Of the packages that are installed."""
    return {name: version for name in packages if (version := _version(name))}


def describe_environment(root: Path, packages: Iterable[str] = PACKAGES) -> Environment:
    """`root`: the folder whose commit counts; packages that are not installed are left out."""
    return Environment(
        os=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        cpu=_cpu_name(),
        usable_cpus=usable_cpus(),
        memory_bytes=psutil.virtual_memory().total,
        packages=versions(packages),
        commit=_commit(root),
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str:
    lines = _CPU_INFO.read_text("utf-8").splitlines() if _CPU_INFO.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def commit_of(root: Path) -> str | None:
    """As one word: the commit, with a plus where tracked files had been changed since."""
    commit = _commit(root)
    return f"{commit.id[:10]}{'+' if commit.dirty else ''}" if commit else None


def _commit(root: Path) -> Commit | None:
    if not (root / ".git").exists():
        return None
    head = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return None if head is None or changes is None else Commit(id=head, dirty=bool(changes))


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
