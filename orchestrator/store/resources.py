"""How much disk and memory this process may use, asked before anything is downloaded.

Memory is the smaller of what the machine has free and what the control group (container, systemd unit)
still allows: inside a container the machine's figure is a promise that the kernel does not keep.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")


def disk_free_bytes(folder: Path) -> int:
    """Free bytes of the file system that `folder` is, or will be, on."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def memory_available_bytes() -> int:
    available = int(psutil.virtual_memory().available)
    limit = cgroup_headroom_bytes()
    return available if limit is None else min(available, limit)


def cgroup_headroom_bytes(root: Path = _CGROUP, membership: Path = Path("/proc/self/cgroup")) -> int | None:
    """What the tightest control group above this process still allows; None without a limit."""
    rooms = [room for group in _groups(root, membership) if (room := _headroom(group)) is not None]
    return min(rooms, default=None)


def _groups(root: Path, membership: Path) -> list[Path]:
    """The own group and those above it: a limit holds for everything below it."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = []
    v2 = next((line[3:] for line in lines if line.startswith("0::")), "/")
    own = root / v2.strip("/")
    chain = [own, *own.parents]
    # Version 1 keeps memory in a tree of its own; a container usually sees its own group as the root.
    return [*(group for group in chain if group.is_relative_to(root)), root / "memory"]


def _headroom(group: Path) -> int | None:
    for limit_name, used_name in (
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        limit, used = _number(group / limit_name), _number(group / used_name)
        if limit is not None and used is not None and limit < 1 << 60:
            # Pages of files count as used, but the kernel drops them on demand.
            return max(0, limit - used + _inactive_file(group / "memory.stat"))
    return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _inactive_file(path: Path) -> int:
    try:
        fields = dict(line.split() for line in path.read_text().splitlines())
        return int(fields.get("total_inactive_file", fields.get("inactive_file", "0")))
    except (OSError, ValueError):
        return 0


@dataclass(frozen=True)
class Machine:
    """The two questions, as functions, so that a test can answer them."""

    disk_free_bytes: Callable[[Path], int] = disk_free_bytes
    memory_available_bytes: Callable[[], int] = memory_available_bytes
