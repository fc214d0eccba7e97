"""Parts of a text with a kind (slots, personal data): find quotes again, and count how many are right.

A part counts as right when its kind and both of its ends are right, as in the CoNLL-2000 and CoNLL-2003
evaluations (Tjong Kim Sang & De Meulder 2003): half a name is a wrong name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Span(NamedTuple):
    """`end` is the first place after it."""

    kind: str
    start: int
    end: int


def locate(text: str, quotes: Iterable[tuple[str, str]]) -> tuple[list[Span], list[str]]:
    """Where quoted parts (kind, words) stand, and the quotes that stand nowhere or only inside another part.

    Case and spacing may differ. A quote is looked for behind the one before it first: the same word may come
    twice, and quotes mostly come in the order of the text.
    """
    taken: list[Span] = []
    lost: list[str] = []
    after = 0
    for kind, quote in quotes:
        places = [(m.start(), m.end()) for m in _places(quote, text)]
        free = [(s, e) for s, e in places if not any(s < other.end and other.start < e for other in taken)]
        if not free:
            lost.append(quote)
            continue
        start, after = min(free, key=lambda place: (place[0] < after, place[0]))
        taken.append(Span(kind, start, after))
    return sorted(taken, key=lambda span: span.start), lost


def quoted(text: str, spans: Iterable[Span]) -> str:
    """The spans as a model is to write them: `{"spans": [{"city": "Ghent"}]}`."""
    return json.dumps({"spans": [{s.kind: text[s.start : s.end]} for s in spans]}, ensure_ascii=False)


def read_quoted(written: str) -> list[tuple[str, str]]:
    """(kind, words) of what `quoted` wrote."""
    return [(kind, words) for span in json.loads(written)["spans"] for kind, words in span.items()]


def part_of(text: str, kind: str, start: int, end: int) -> dict[str, Any]:
    """A marked part as agents answer it, with its words."""
    return {"kind": kind, "start": start, "end": end, "text": text[start:end]}


def spans_of(answer: Any) -> frozenset[Span]:
    """The spans of an agent's output; none where there is no answer."""
    return spans_in((answer or {}).get("spans") or ())


def spans_in(parts: Iterable[Mapping[str, Any]]) -> frozenset[Span]:
    """Where the parts stand, without their words."""
    return frozenset(Span(part["kind"], part["start"], part["end"]) for part in parts)


def span_scores(pairs: Iterable[tuple[frozenset[Span], frozenset[Span]]]) -> dict[str, float]:
    """Precision, recall and F1 over all (gold, found) of a set; and how often everything is right.

    Nothing found has no precision, nothing to find has no recall; both then count as 0 unless both are
    empty, which is perfect.
    """
    known = list(pairs)
    right = sum(len(gold & found) for gold, found in known)
    wanted, made = sum(len(gold) for gold, _ in known), sum(len(found) for _, found in known)
    exact = sum(gold == found for gold, found in known) / len(known) if known else 0.0
    if not wanted and not made:
        return {"slot_f1": 1.0, "precision": 1.0, "recall": 1.0, "exact_frame": exact}
    return {
        "slot_f1": 2 * right / (wanted + made),
        "precision": right / made if made else 0.0,
        "recall": right / wanted if wanted else 0.0,
        "exact_frame": exact,
    }


def _places(quote: str, text: str) -> Iterable[re.Match[str]]:
    """Whole words first; inside words only where there is no other place."""
    words = [re.escape(word) for word in quote.split()]
    if not words:
        return []
    pattern = r"\s+".join(words)
    whole = list(re.finditer(rf"(?<!\w){pattern}(?!\w)", text, re.IGNORECASE))
    return whole or list(re.finditer(pattern, text, re.IGNORECASE))
