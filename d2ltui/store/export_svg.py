"""Curves as an SVG picture: two panels, loss and metric, with axes; nothing in it refers to anything outside."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import TypeAlias

from d2ltui.charts import axes
from d2ltui.charts.spec import Band, ChartSpec, Line, Style

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 16, 30, 36
_Place: TypeAlias = Callable[[float, float], str]
_COLOURS = {Style.TRAIN: "#0072b2", Style.VALIDATION: "#d55e00"}  # told apart by colour-blind eyes, too


def picture(title: str, panels: Sequence[tuple[str, ChartSpec]]) -> str:
    """An SVG document with a chart for each of `panels`, (caption, what to draw), one below the other."""
    height = HEIGHT * len(panels)
    body = "".join(_panel(caption, spec, HEIGHT * i) for i, (caption, spec) in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="12"><title>{escape(title)}</title>'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>{body}</svg>\n'
    )


def _panel(caption: str, spec: ChartSpec, top: int) -> str:
    values = [y for line in spec.lines for y in line.y if math.isfinite(y)]
    values += [y for band in spec.bands for y in (*band.low, *band.high) if math.isfinite(y)]
    low, high = axes.nice_limits(min(values), max(values)) if values else (0.0, 1.0)
    if spec.y_high is not None:
        high = max(spec.y_high, low + 1e-9)
    x_span = max(spec.x_high - spec.x_low, 1e-9)
    y0, y1 = top + HEIGHT - BOTTOM, top + TOP

    def place(x: float, y: float) -> str:
        across = LEFT + (x - spec.x_low) / x_span * (WIDTH - LEFT - RIGHT)
        return f"{across:.1f},{y0 + (min(max(y, low), high) - low) / (high - low) * (y1 - y0):.1f}"

    parts = [f'<text x="{LEFT}" y="{top + 18}" font-weight="bold">{escape(caption)}</text>']
    for tick, label in _ticks(low, high):
        x, y = place(spec.x_low, tick).split(",")
        parts.append(f'<line x1="{x}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{float(y) + 4:.1f}" text-anchor="end">{escape(label)}</text>')
    for tick, label in _ticks(spec.x_low, spec.x_high):
        x = place(tick, low).split(",")[0]
        parts.append(f'<text x="{x}" y="{y0 + 16}" text-anchor="middle">{escape(label)}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{y0 + 30}" text-anchor="end">{escape(spec.x_label)}</text>')
    parts += [_band(band, place) for band in spec.bands]
    parts += [_line(line, place) for line in spec.lines]
    return "".join(parts) + _legend(spec, top)


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    found = axes.ticks(low, high, 6)
    return list(zip(found, axes.labels(found, 8), strict=True))


def _pieces(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Without the points that are not finite: they leave gaps."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y):
            pieces[-1].append((x, y))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _line(line: Line, place: _Place) -> str:
    colour = _COLOURS.get(Style(line.style), "#555") if line.style in list(Style) else "#555"
    parts = []
    for piece in _pieces(list(zip(line.x, line.y, strict=False))):
        if line.joined:
            points = " ".join(place(x, y) for x, y in piece)
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        if line.marker or not line.joined:
            for x, y in piece:
                across, down = place(x, y).split(",")
                parts.append(f'<circle cx="{across}" cy="{down}" r="3" fill="{colour}"/>')
    return "".join(parts)


def _band(band: Band, place: _Place) -> str:
    rows = [row for row in zip(band.x, band.low, band.high, strict=False) if all(map(math.isfinite, row))]
    edge = [place(x, low) for x, low, _ in rows] + [place(x, high) for x, _, high in reversed(rows)]
    return f'<polygon points="{" ".join(edge)}" fill="#0072b2" fill-opacity="0.15"/>' if edge else ""


def _legend(spec: ChartSpec, top: int) -> str:
    parts, x = [], WIDTH - RIGHT - 70 * sum(bool(line.label) for line in spec.lines)
    for line in spec.lines:
        if line.label:
            colour = _COLOURS.get(Style(line.style), "#555") if line.style in list(Style) else "#555"
            mark = f'<line x1="{x}" x2="{x + 18}" y1="{top + 14}" y2="{top + 14}" stroke="{colour}" stroke-width="2"/>'
            dot = f'<circle cx="{x + 9}" cy="{top + 14}" r="3" fill="{colour}"/>' if line.marker else ""
            parts.append(f'{mark}{dot}<text x="{x + 24}" y="{top + 18}">{escape(line.label)}</text>')
            x += 70
    return "".join(parts)
