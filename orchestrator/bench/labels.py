"""Where the names of points go in a small plot: beside their own point, clear of other points and names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

# Of the plots' font at 11 pixels; a browser may put a wider one in its place.
_CHARACTER_PX = 6.5
_LINE_PX = 12.0
_GAP_PX = 7.0
_RADIUS_PX = 5.0
# As much as covering eight square pixels of a name.
_ELSEWHERE = 80.0
_HEIGHTS_PX = (0.0, -9.0, 9.0, -18.0, 18.0, -27.0, 27.0, -36.0, 36.0, -48.0, 48.0)


class Point(NamedTuple):
    """Pixels from the left and from the top; `top` and `bottom` of its interval."""

    x: float
    y: float
    top: float
    bottom: float
    name: str


class Label(NamedTuple):
    """Where a name goes: pixels to its point, and which of its ends is there."""

    dx: float
    dy: float
    align: Literal["left", "right"]


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Square pixels."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(across, 0.0) * max(down, 0.0)

    def distance(self, x: float, y: float) -> float:
        """Pixels from its nearest edge; 0 inside."""
        across = max(self.left - x, x - self.right, 0.0)
        return math.hypot(across, max(self.top - y, y - self.bottom, 0.0))


def place(points: Sequence[Point], width: float, height: float) -> list[Label]:
    """One for each point, in their order; taken one after the other, each where it covers least."""
    lines, taken = [_line(point) for point in points], [mark_of(point) for point in points]
    frame = Box(0.0, 0.0, width, height)
    labels = []
    for point in points:
        costs = {
            label: abs(label.dy)
            + _cost(box_of(point, label), taken, lines, frame)
            + _ELSEWHERE * (nearest(box_of(point, label), points) != point)
            for label in _possible()
        }
        label = min(costs, key=lambda label: costs[label])
        taken.append(box_of(point, label))
        labels.append(label)
    return labels


def _possible() -> list[Label]:
    right = [Label(_GAP_PX, dy, "left") for dy in _HEIGHTS_PX]
    return right + [Label(-_GAP_PX, dy, "right") for dy in _HEIGHTS_PX]


def _cost(box: Box, taken: Sequence[Box], lines: Sequence[Box], frame: Box) -> float:
    """Lying on a name, on a point or outside is worse than lying on a line."""
    outside = (box.right - box.left) * (box.bottom - box.top) - box.overlap(frame)
    covered = sum(box.overlap(other) for other in taken) + outside
    return 10 * covered + sum(box.overlap(line) for line in lines)


def box_of(point: Point, label: Label) -> Box:
    wide, start = _CHARACTER_PX * len(point.name), point.x + label.dx
    left = start if label.align == "left" else start - wide
    middle = point.y + label.dy
    return Box(left, middle - _LINE_PX / 2, left + wide, middle + _LINE_PX / 2)


def nearest(box: Box, points: Sequence[Point]) -> Point:
    """The point that a reader takes a name for."""
    return min(points, key=lambda point: box.distance(point.x, point.y))


def mark_of(point: Point) -> Box:
    return Box(point.x - _RADIUS_PX, point.y - _RADIUS_PX, point.x + _RADIUS_PX, point.y + _RADIUS_PX)


def _line(point: Point) -> Box:
    return Box(point.x - 2, point.top, point.x + 2, point.bottom)
