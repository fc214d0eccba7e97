"""Run a Python module that ends when its parent ends, even when the parent is killed with -9.

    python -P tether.py MODULE ARGUMENTS...

Without it, a killed `pull` would leave a pip or a converter behind that goes on writing. On Linux the
kernel is asked to kill us. Elsewhere, and as a second line, a thread reads standard input, whose other end
the parent holds open: end of file means that the parent is gone. Imports nothing of Lilliput, because
pip runs in it too and should start fast.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1


def tether() -> None:
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended between our start and the request
        os._exit(1)
    threading.Thread(target=_exit_at_end_of_input, daemon=True).start()


def _exit_at_end_of_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    tether()
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
