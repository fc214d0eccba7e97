"""Model files: fetch, assemble, verify, convert, install; content-addressed, atomic, and nothing else.

Loading a model is the business of `runtimes`. Reading cards from a workspace is the business of `workspace`.
"""

from __future__ import annotations

from orchestrator.store.manifest import InstalledFile, Manifest
from orchestrator.store.plan import PullPlan
from orchestrator.store.progress import Progress, PullEvent
from orchestrator.store.resources import Machine
from orchestrator.store.store import ModelStore, State

__all__ = [
    "InstalledFile",
    "Machine",
    "Manifest",
    "ModelStore",
    "Progress",
    "PullEvent",
    "PullPlan",
    "State",
]
