"""One file per way to run a model, and the pool that shares and evicts their sessions.

Importing this package loads no native library; `registry.load_session` imports the one that a card names.
"""

from __future__ import annotations

from orchestrator.runtimes.native import has_cuda

__all__ = ["has_cuda"]
