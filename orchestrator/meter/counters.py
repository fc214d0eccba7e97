"""Energy counters of the hardware, where this process may read them.

- RAPL (Linux `powercap`): microjoules of each processor package and of its memory, in files that wrap around
  at `max_energy_range_uj`. On most systems only root may read them.
- NVML: millijoules of each NVIDIA device since its driver was loaded (Volta and later), through
  `nvidia-ml-py`, if that is installed.

A counter covers everything that runs on its chip, other programs too, and what it draws when idle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

_POWERCAP = Path("/sys/class/powercap")
_PARTS = ("package", "dram")
Reader = Callable[[], float]


class Counters:
    """Joules that all readable counters have counted since this was made. `covers_cpu`: with RAPL."""

    def __init__(self, readers: Sequence[Reader], *, covers_cpu: bool) -> None:
        self._readers = readers
        self.covers_cpu = covers_cpu

    def read_j(self) -> float:
        return sum(reader() for reader in self._readers)


def open_counters(powercap: Path = _POWERCAP) -> Counters | None:
    """What can be read here; None when nothing can."""
    processor, devices = rapl_readers(powercap), nvml_readers()
    if not processor and not devices:
        return None
    return Counters([*processor, *devices], covers_cpu=bool(processor))


def rapl_readers(powercap: Path) -> list[Reader]:
    """One for each zone that counts a package or its memory; none when any of them must not be read."""
    zones = [zone for zone in sorted(powercap.glob("intel-rapl:*")) if _counts(zone)]
    try:
        return [_Rapl(zone).read_j for zone in zones]
    except (OSError, ValueError):
        return []


def nvml_readers() -> list[Reader]:
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        devices = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return [_nvml_reader(pynvml.nvmlDeviceGetTotalEnergyConsumption, device) for device in devices]
    except pynvml.NVMLError:
        return []


def _counts(zone: Path) -> bool:
    try:
        return (zone / "name").read_text("utf-8").startswith(_PARTS)
    except OSError:
        return False


class _Rapl:
    """One zone. Must be read more often than it wraps around, which takes minutes under full load."""

    def __init__(self, zone: Path) -> None:
        self._file = zone / "energy_uj"
        self._range_uj = int((zone / "max_energy_range_uj").read_text("utf-8"))
        self._last_uj = self._now_uj()
        self._total_uj = 0

    def read_j(self) -> float:
        now_uj = self._now_uj()
        self._total_uj += (now_uj - self._last_uj) % (self._range_uj + 1)
        self._last_uj = now_uj
        return self._total_uj / 1e6

    def _now_uj(self) -> int:
        return int(self._file.read_text("utf-8"))


def _nvml_reader(energy_mj: Callable[[object], int], device: object) -> Reader:
    first_mj = energy_mj(device)
    return lambda: (energy_mj(device) - first_mj) / 1e3
