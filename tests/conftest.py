"""What holds for every test: no verdict on code by the clock of a shared machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")
