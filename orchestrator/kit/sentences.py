"""Where the sentences of a text stand: good enough to compare them one by one, no linguist.

Lines, table cells (`|`) and wide gaps end a sentence too. What has no end for long is cut between words:
encoders read only so far.
"""

from __future__ import annotations

import re

_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+|[\n|]|\s{2,}")
_LONGEST = 300


def sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence that holds a letter or digit, in order, without spaces around it."""
    ends = [(match.start(), match.end()) for match in _END.finditer(text)]
    starts = [0, *(end for _, end in ends)]
    stops = [*(start for start, _ in ends), len(text)]
    pieces = [piece for pair in zip(starts, stops, strict=True) for piece in _cut(text, *pair)]
    trimmed = [_trimmed(text, start, end) for start, end in pieces]
    return [(start, end) for start, end in trimmed if any(c.isalnum() for c in text[start:end])]


def _cut(text: str, start: int, end: int) -> list[tuple[int, int]]:
    pieces = []
    while end - start > _LONGEST:
        space = text.rfind(" ", start + 1, start + _LONGEST)
        place = space if space > start else start + _LONGEST
        pieces.append((start, place))
        start = place
    return [*pieces, (start, end)]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
