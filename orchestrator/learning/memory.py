"""Freed memory goes back to the system at once, in a process that trains.

Each batch of a training has another length, and so has each of its tensors. glibc serves blocks that were
large once from a heap that it then keeps, in pieces that fit the next ones badly: training the 0.5B grew from
12 to 24 GB within an hour, and was killed. Where each large block is mapped by itself, the same training
stayed below 11 GB. See mallopt(3): setting the threshold also stops glibc from raising it as it goes.
"""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 1 << 20


def give_back_freed_memory() -> bool:
    """For this process, from now on. Whether the C library knows how: others than glibc may not."""
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES))
    except (OSError, TypeError, AttributeError):
        return False
