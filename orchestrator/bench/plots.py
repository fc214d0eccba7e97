"""The pictures of a report, as SVG drawn from Vega-Lite specs; nothing is fetched, no script runs.

`vl-convert` draws them in process; it comes with the extra `report`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Literal

from orchestrator.bench.headline import Ruled
from orchestrator.bench.labels import Point, place
from orchestrator.bench.record import ArmFamily, BenchRecord
from orchestrator.errors import UserError

_COLOURS = {"confirmed": "#2e7d4f", "refuted": "#b3372f", "inconclusive": "#8a7a2e"}
_KINDS = {
    "specialist": "#2e7d4f",
    "encoder": "#2e7d4f",
    "crew": "#1f4f96",
    "small": "#4f8fd0",
    "reference": "#b3372f",
    "floor": "#7d7d7d",
}
Axis = Literal["latency", "energy"]

# Of one panel, in pixels.
_WIDTH, _HEIGHT = 262.0, 180.0
_CONFIG = {
    "background": "white",
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "gridColor": "#e8e8e8"},
    "legend": {"labelFontSize": 12, "title": None, "orient": "bottom", "columns": 3},
    "title": {"fontSize": 13, "fontWeight": "normal", "anchor": "start"},
}


def draw(spec: dict[str, Any]) -> str:
    """The spec as SVG. Raises UserError where the extra is missing."""
    try:
        import vl_convert
    except ImportError:
        raise UserError(
            "A report has plots, and what draws them is not installed.",
            hint="Type: pip install 'lilliput[report]'",
        ) from None
    svg: str = vl_convert.vegalite_to_svg(json.dumps({**spec, "config": _CONFIG}))
    return svg


def differences(families: Sequence[Ruled]) -> dict[str, Any]:
    """A forest plot: the paired difference of each family with its interval, against the declared margin."""
    rows = [
        {
            "family": family_name(ruled),
            "low": 100 * ruled.verdict.difference.interval.low,
            "value": 100 * ruled.verdict.difference.value,
            "high": 100 * ruled.verdict.difference.interval.high,
            "margin": -100 * ruled.verdict.difference.margin,
            "ruling": ruled.verdict.ruling,
        }
        for ruled in families
    ]
    colour = _colours("ruling", _COLOURS, [ruled.verdict.ruling for ruled in families])
    x = {
        "type": "quantitative",
        "title": "small minus larger, points of quality",
        "axis": {"tickCount": 5},
        # A margin at the very edge would be drawn on the frame.
        "scale": {"padding": 10},
    }
    y = {"field": "family", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 200}}
    zero = {"x": {"datum": 0, "type": "quantitative"}}
    layers = [
        ({"type": "rule", "color": "#444"}, zero),
        (
            {"type": "tick", "color": "#444", "thickness": 2, "size": 14},
            {"x": {**x, "field": "margin"}, "y": y},
        ),
        (
            {"type": "rule", "strokeWidth": 3},
            {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour},
        ),
        (
            {"type": "point", "filled": True, "size": 90, "opacity": 1},
            {"x": {**x, "field": "value"}, "y": y, "color": colour},
        ),
    ]
    return {
        "data": {"values": rows},
        "width": 300,
        "height": {"step": 22},
        "layer": [{"mark": mark, "encoding": encoding} for mark, encoding in layers],
    }


def quality_against(records: Sequence[BenchRecord], what: Axis) -> list[dict[str, Any]]:
    """One panel for each family that has such figures. The colours are those of `kinds`."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        for figure in record.figures:
            if point := _point(record, figure, what):
                found.setdefault(point["family"], []).append(point)
    return [_panel(family, rows, what) for family, rows in found.items()]


def kinds(records: Sequence[BenchRecord]) -> dict[str, str]:
    """The colour of every kind of arm that a report shows."""
    used = {arm.kind for record in records for arm in record.benchmark.arms}
    return {kind: colour for kind, colour in _KINDS.items() if kind in used}


def _panel(family: str, rows: list[dict[str, Any]], what: Axis) -> dict[str, Any]:
    span = min(row["x"] for row in rows) / 1.5, max(row["x"] for row in rows) * 1.5
    x = {
        "field": "x",
        "type": "quantitative",
        "scale": {"type": "log", "domain": span, "nice": False},
        "title": "seconds a case, median" if what == "latency" else "joules a case, idle draw included",
        "axis": {"tickCount": 4},
    }
    y = {"type": "quantitative", "scale": {"domain": [0, 100]}, "title": "quality, % (95 % interval)"}
    colour = {"field": "colour", "type": "nominal", "scale": None}
    point = {"x": x, "y": {**y, "field": "y"}, "color": colour}
    name = {
        "type": "text",
        "fontSize": 11,
        "baseline": "middle",
        **{field: {"expr": f"datum.{field}"} for field in ("dx", "dy", "align")},
    }
    line = {"type": "rule", "strokeWidth": 2, "opacity": 0.6}
    layers: list[dict[str, Any]] = [
        {"mark": line, "encoding": {**point, "y": {**y, "field": "low"}, "y2": {"field": "high"}}},
        {"mark": {"type": "point", "filled": True, "size": 70, "opacity": 1}, "encoding": point},
        {"mark": name, "encoding": {**point, "text": {"field": "arm"}}},
    ]
    return {
        "title": family,
        "data": {"values": _labelled(rows, span)},
        "width": _WIDTH,
        "height": _HEIGHT,
        "layer": layers,
    }


def _labelled(rows: Sequence[dict[str, Any]], span: tuple[float, float]) -> list[dict[str, Any]]:
    def across(x: float) -> float:
        return _WIDTH * math.log(x / span[0]) / math.log(span[1] / span[0])

    def down(percent: float) -> float:
        return _HEIGHT * (1 - percent / 100)

    points = [
        Point(across(row["x"]), down(row["y"]), down(row["high"]), down(row["low"]), row["arm"])
        for row in rows
    ]
    return [
        {**row, **label._asdict()} for row, label in zip(rows, place(points, _WIDTH, _HEIGHT), strict=True)
    ]


def _colours(field: str, palette: dict[str, str], used: Sequence[str]) -> dict[str, Any]:
    """The legend names only what is there."""
    names = [name for name in palette if name in used]
    scale = {"domain": names, "range": [palette[name] for name in names]}
    return {"field": field, "type": "nominal", "scale": scale}


def family_name(ruled: Ruled) -> str:
    return title_of(ruled.record, ruled.verdict.family)


def title_of(record: BenchRecord, family: str) -> str:
    """The benchmark's name, and the family's where there are several."""
    several = len(record.benchmark.families) > 1
    return f"{record.benchmark.name} {family}" if several else record.benchmark.name


def _point(record: BenchRecord, figure: ArmFamily, what: Axis) -> dict[str, Any] | None:
    summary = figure.summary
    x = summary.latency_p50_s if what == "latency" else figure.joules_a_case
    if x is None or not summary.n:
        return None
    kind = next(arm.kind for arm in record.benchmark.arms if arm.name == summary.arm)
    return {
        "family": title_of(record, figure.family),
        "arm": summary.arm,
        "colour": _KINDS[kind],
        "x": max(x, 1e-4),
        "y": 100 * summary.mean_grade,
        "low": 100 * summary.grade_interval.low,
        "high": 100 * summary.grade_interval.high,
    }
