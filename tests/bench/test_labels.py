"""Names in a plot stay inside it and off one another."""

from __future__ import annotations

import itertools

import pytest

from orchestrator.bench.labels import Box, Label, Point, box_of, mark_of, nearest, place

WIDTH, HEIGHT = 262.0, 180.0


def point(x: float, y: float, name: str = "reference-few") -> Point:
    return Point(x, y, y - 20, y + 20, name)


def boxes(points: list[Point]) -> list[Box]:
    return [box_of(at, label) for at, label in zip(points, place(points, WIDTH, HEIGHT), strict=True)]


@pytest.mark.parametrize(
    "points",
    [
        [point(130, 90)] * 2,
        [point(100, 90), point(112, 92, "crew"), point(118, 88, "small-zero"), point(230, 90, "reference")],
        [point(20, 10, "crew"), point(30, 170, "floor"), point(250, 8), point(255, 172, "small-few")],
        [point(60 + 6 * number, 90 + number, f"arm-{number}") for number in range(5)],
    ],
    ids=["on the same spot", "close together", "in the corners", "five in a row"],
)
def test_names_lie_inside_and_on_no_other_name_or_point(points: list[Point]) -> None:
    found = boxes(points)
    frame = Box(0, 0, WIDTH, HEIGHT)
    for box in found:
        assert box.overlap(frame) == pytest.approx((box.right - box.left) * (box.bottom - box.top))
    for first, second in itertools.combinations(found, 2):
        assert first.overlap(second) == 0
    for box, other in itertools.product(found, points):
        assert box.overlap(mark_of(other)) == 0


def test_a_point_with_room_has_its_name_to_its_right() -> None:
    assert place([point(40, 90)], WIDTH, HEIGHT) == [Label(7.0, 0.0, "left")]


def test_a_point_at_the_right_edge_has_it_to_its_left() -> None:
    (label,) = place([point(255, 90)], WIDTH, HEIGHT)
    assert label.align == "right"


def test_a_name_goes_where_a_reader_takes_it_for_its_own_points() -> None:
    """Where it covers least, one of these would stand nearer to another point."""
    points = [point(182, 95, "floor"), point(182, 114, "crew"), point(184, 119, "small-zero")]
    for at, box in zip(points, boxes(points), strict=True):
        assert nearest(box, points) == at
