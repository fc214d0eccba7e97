"""Text on its way in and out of a generator: control tokens in messages, stop strings in answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from orchestrator.types import Message

_ZERO_WIDTH_SPACE = "\u200b"


class ControlTokens:
    """Keeps a message from speaking for somebody else.

    Tokenizers turn the characters `<|im_end|>` inside a message into the token that ends the message, so
    an e-mail could add a system message of its own. A zero-width space inside makes it plain text again.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._plain = {token: token[0] + _ZERO_WIDTH_SPACE + token[1:] for token in tokens if len(token) > 1}

    def defuse(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        return [{"role": message.role, "content": self._without(message.content)} for message in messages]

    def _without(self, content: str) -> str:
        for token, plain in self._plain.items():
            if token in content:
                content = content.replace(token, plain)
        return content


class TextOut:
    """Collects an answer piece by piece and cuts it exactly before the first stop string.

    A stop string may span tokens, so the end of the text is held back for as long as it could be the
    beginning of one: what `emit` has heard is never taken back, and all of it together is `text`.
    """

    def __init__(self, stops: Sequence[str] = (), emit: Callable[[str], object] | None = None) -> None:
        self._stops = [stop for stop in stops if stop]
        self._emit = emit
        self._told = 0
        self.text = ""

    def push(self, piece: str) -> bool:
        """Add a piece; True when a stop string has been reached."""
        self.text += piece
        found = [at for stop in self._stops if (at := self.text.find(stop, self._told)) >= 0]
        if found:
            self.text = self.text[: min(found)]
            self.flush()
            return True
        self._tell(len(self.text) - self._undecided())
        return False

    def flush(self) -> None:
        """The answer is over: tell what was held back."""
        self._tell(len(self.text))

    def _undecided(self) -> int:
        """Characters at the end that may turn out to begin a stop string."""
        return max(
            (n for stop in self._stops for n in range(1, len(stop)) if self.text.endswith(stop[:n])),
            default=0,
        )

    def _tell(self, end: int) -> None:
        if self._emit and end > self._told:
            self._emit(self.text[self._told : end])
        self._told = max(self._told, end)
