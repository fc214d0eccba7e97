"""The most memory that this process had in use since the last reset, as the kernel counted it.

Linux keeps the peak of the resident set (`VmHWM`) and sets it back when `5` is written to `clear_refs`; see
proc_pid_clear_refs(5). Elsewhere the peak is not known.
"""

from __future__ import annotations

from pathlib import Path

_SELF = Path("/proc/self")


def reset_peak(process: Path = _SELF) -> None:
    try:
        (process / "clear_refs").write_text("5")
    except OSError:
        return


def peak_memory_bytes(process: Path = _SELF) -> int | None:
    try:
        lines = (process / "status").read_text("utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)
