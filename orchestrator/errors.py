"""Every error that Lilliput raises on purpose.

    LilliputError
    ├── UserError               the caller can mend it; the message says what to type next
    │   ├── ContentError        a card, agent, workflow or setting is malformed (has file and line)
    │   ├── UnknownName         no such model, agent, tool, workflow, policy or run (has a suggestion)
    │   └── InvalidInput        a task's input does not fit
    ├── ModelUnavailable        no model may answer this (not installed, too large, cannot do it)
    ├── StoreError              a model could not be fetched, verified or converted
    │   ├── IntegrityError      the bytes are not the bytes that the card names
    │   └── NotEnoughResources  too little disk or memory; raised before anything is downloaded
    ├── ModelError              a model failed while answering; recorded in the step, never fatal to a run
    │   └── Truncated           the answer hit its token budget before it was complete
    ├── ToolError               a tool failed or ran out of time; recorded in the step
    ├── PlanError               a plan is cyclic, names unknown things or has dangling references
    └── BudgetExceeded          time, tokens, steps or cost ran out

An error of the user or of ours raises. An error of a model is recorded in the step and the loop goes on.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class LilliputError(Exception):
    """Base of all of them. `hint` is what to type or change next; it is part of the message."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message} {hint}" if hint else message)


class UserError(LilliputError):
    """Something that the caller can mend."""


class ContentError(UserError):
    """A malformed content file. Carries where it is wrong, for editors and for people."""

    def __init__(self, message: str, *, file: Path, line: int | None = None, hint: str | None = None) -> None:
        self.file = file
        self.line = line
        where = f"{file}:{line}" if line else str(file)
        super().__init__(f"{where}: {message}", hint=hint)


class UnknownName(UserError):
    """A name that is not there, with the nearest one that is."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str | None = None) -> None:
        self.kind = kind
        self.name = name
        self.known = sorted(known)
        super().__init__(f"Unknown {kind} {name!r}.", hint=hint or self._suggestion())

    def _suggestion(self) -> str:
        close = difflib.get_close_matches(self.name, self.known, n=1, cutoff=0.5)
        if close:
            return f"Did you mean {close[0]!r}?"
        return f"There is: {', '.join(self.known)}." if self.known else "There is none yet."


class InvalidInput(UserError):
    """A task's or a call's input does not fit what was declared."""


class ModelUnavailable(LilliputError):
    """No model may answer; the message lists why each candidate was rejected."""


class StoreError(LilliputError):
    """A model could not be fetched, verified or converted."""


class IntegrityError(StoreError):
    """The bytes that came are not the bytes that the card names."""


class NotEnoughResources(StoreError):
    """Too little disk or memory for what was asked; nothing was downloaded."""


class ModelError(LilliputError):
    """A model failed while answering."""


class Truncated(ModelError):
    """The token budget ended before the answer did; a truncated answer is never passed on as a success."""


class ToolError(LilliputError):
    """A tool failed or ran out of time."""


class PlanError(LilliputError):
    """A plan that cannot be run; every reason is listed."""


class BudgetExceeded(LilliputError):
    """Time, tokens, steps or cost ran out."""
