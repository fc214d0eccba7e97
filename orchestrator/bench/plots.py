"""Three pictures of a report, as SVG drawn from Vega-Lite specs; nothing is fetched, no script runs.

`vl-convert` draws them in process; it comes with the extra `report`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from orchestrator.bench.headline import Ruled
from orchestrator.bench.record import ArmFamily, BenchRecord
from orchestrator.errors import UserError

_COLOURS = {"confirmed": "#2e7d4f", "refuted": "#b3372f", "inconclusive": "#8a7a2e"}
_KINDS = {
    "specialist": "#2e7d4f",
    "encoder": "#2e7d4f",
    "crew": "#2f6db3",
    "small": "#7aa6d6",
    "reference": "#b3372f",
    "floor": "#9a9a9a",
}
_CONFIG = {
    "background": "white",
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "gridColor": "#e8e8e8"},
    "legend": {"labelFontSize": 12, "title": None, "orient": "bottom", "columns": 3},
    "header": {"labelFontSize": 13, "title": None},
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
        "axis": {"tickCount": 7},
    }
    y = {"field": "family", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 260}}
    zero = {"x": {"datum": 0, "type": "quantitative"}}
    layers = [
        ({"type": "rule", "color": "#444"}, zero),
        (
            {"type": "tick", "color": "#444", "thickness": 2, "size": 18},
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
        "width": 460,
        "height": {"step": 30},
        "layer": [{"mark": mark, "encoding": encoding} for mark, encoding in layers],
    }


def quality_against(records: Sequence[BenchRecord], what: str) -> dict[str, Any]:
    """`what`: latency or energy. One panel a family."""
    points = (_point(record, figure, what) for record in records for figure in record.figures)
    rows = _placed([point for point in points if point])
    colour = _colours("kind", _KINDS, [row["kind"] for row in rows])
    x = {
        "field": "x",
        "type": "quantitative",
        "scale": {"type": "log", "padding": 12},
        "title": "seconds a case, median" if what == "latency" else "joules a case, idle draw included",
        "axis": {"tickCount": 4},
    }
    y = {"type": "quantitative", "scale": {"domain": [0, 100]}, "title": "quality, % (95 % interval)"}
    point = {"x": x, "y": {**y, "field": "y"}, "color": colour}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.6},
            "encoding": {**point, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {"mark": {"type": "point", "filled": True, "size": 70, "opacity": 1}, "encoding": point},
        # Names stand by turns above and below their point, that of the last one to its left: fewer overlap.
        *(_names(x, y, place) for place in ("above", "below", "last")),
    ]
    return {
        "data": {"values": rows},
        "facet": {"field": "family", "type": "nominal", "sort": None},
        "columns": 2,
        "resolve": {"scale": {"x": "independent"}},
        "spec": {"width": 300, "height": 200, "layer": layers},
    }


def _names(x: dict[str, Any], y: dict[str, Any], place: str) -> dict[str, Any]:
    align, dx = ("right", -7) if place == "last" else ("left", 7)
    return {
        "transform": [{"filter": {"field": "place", "equal": place}}],
        "mark": {
            "type": "text",
            "align": align,
            "dx": dx,
            "dy": -6 if place == "above" else 12,
            "fontSize": 11,
        },
        "encoding": {"x": x, "y": {**y, "field": "y"}, "text": {"field": "arm"}},
    }


def _placed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each family's points from left to right, told where their name goes."""
    placed = []
    for family in dict.fromkeys(row["family"] for row in rows):
        own = sorted((row for row in rows if row["family"] == family), key=lambda row: row["x"])
        turns = ["above" if number % 2 == 0 else "below" for number in range(len(own))]
        turns[-1] = "last"
        placed += [{**row, "place": place} for row, place in zip(own, turns, strict=True)]
    return placed


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


def _point(record: BenchRecord, figure: ArmFamily, what: str) -> dict[str, Any] | None:
    summary = figure.summary
    x = summary.latency_p50_s if what == "latency" else figure.joules_a_case
    if x is None or not summary.n:
        return None
    kind = next(arm.kind for arm in record.benchmark.arms if arm.name == summary.arm)
    return {
        "family": title_of(record, figure.family),
        "arm": summary.arm,
        "kind": kind,
        "x": max(x, 1e-4),
        "y": 100 * summary.mean_grade,
        "low": 100 * summary.grade_interval.low,
        "high": 100 * summary.grade_interval.high,
    }
