"""A map as an SVG picture: one panel for each quantity that it has, with axes and what the colours stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from d2ltui.charts import heatmap
from d2ltui.charts.of_map import VIRIDIS, best_of, ends_of, title
from d2ltui.spec.maps import Cell, Figures, Known, MapSpec, called, quantities_of
from d2ltui.spec.numbers import setting

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 720, 90, 20, 56, 84
DIVERGED, UNKNOWN = "#c8c8c8", "#ffffff"
MOST_LABELS, KEYS = 8, 5
_LABEL_WIDTH = 74  # pixels


def picture(name: str, spec: MapSpec, cells: Mapping[Cell, Figures]) -> str:
    """An SVG document; nothing in it refers to anything outside."""
    known = Known(cells)
    shown = [quantity for quantity in quantities_of(spec.config.task)[:-1] if quantity in known.low]
    side = (WIDTH - LEFT - RIGHT) / spec.columns
    across = max(2.0, min(side, 40.0))
    up = max(2.0, min(across, 480 / spec.rows))
    height = round(TOP + up * spec.rows + BOTTOM)
    panels = shown or [quantities_of(spec.config.task)[0]]
    body = "".join(_panel(q, spec, known, across, up, i * height, name) for i, q in enumerate(panels))
    whole = height * len(panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{whole}" viewBox="0 0 {WIDTH} {whole}" '
        f'font-family="sans-serif" font-size="12"><title>{escape(name)}</title>'
        f'<rect width="{WIDTH}" height="{whole}" fill="white"/>{body}</svg>\n'
    )


def _panel(quantity: str, spec: MapSpec, known: Known, across: float, up: float, top: int, name: str) -> str:
    ends = ends_of(known, quantity)
    bottom = top + TOP + up * spec.rows
    parts = [
        f'<text x="{LEFT}" y="{top + 22}" font-weight="bold">{escape(called(quantity))}</text>',
        f'<text x="{LEFT}" y="{top + 40}" fill="#555">{escape(f"{name}: {title(spec)}")}</text>',
    ]
    for (column, row), figures in sorted(known.cells.items()):
        value = figures.get(quantity)
        fill = (
            DIVERGED if figures["status"] == "diverged" else UNKNOWN if value is None else _colour(ends.share_of(value))
        )
        said = f"{spec.x.field} {setting(spec.x.values[column])}, {spec.y.field} {setting(spec.y.values[row])}: "
        said += "diverged" if figures["status"] == "diverged" else setting(value) if value is not None else "unknown"
        x, y = LEFT + across * column, bottom - up * (row + 1)
        parts.append(
            f'<rect x="{_at(x)}" y="{_at(y)}" width="{_at(across)}" height="{_at(up)}" fill="{fill}">'
            f"<title>{escape(said)}</title></rect>"
        )
    right = LEFT + across * spec.columns
    parts.append(
        f'<rect x="{LEFT}" y="{top + TOP}" width="{_at(right - LEFT)}" height="{_at(up * spec.rows)}" fill="none" '
        'stroke="#555"/>'
    )
    most = max(2, min(MOST_LABELS, int((right - LEFT) / _LABEL_WIDTH)))
    for place, label in _labels(spec.x.values, most):
        x = LEFT + across * (place + 0.5)
        parts.append(f'<text x="{_at(x)}" y="{_at(bottom + 16)}" text-anchor="middle">{escape(label)}</text>')
    for place, label in _labels(spec.y.values, MOST_LABELS):
        y = bottom - up * (place + 0.5) + 4
        parts.append(f'<text x="{LEFT - 6}" y="{_at(y)}" text-anchor="end">{escape(label)}</text>')
    parts.append(f'<text x="{_at(right)}" y="{_at(bottom + 32)}" text-anchor="end">{escape(spec.x.field)}</text>')
    parts.append(f'<text x="{LEFT - 6}" y="{top + TOP - 8}" text-anchor="end">{escape(spec.y.field)}</text>')
    return "".join(parts) + _key(ends, best_of(known, quantity), known, bottom + 44)


def _labels(values: Sequence[Any], most: int) -> list[tuple[int, str]]:
    """Some of the values of an axis, the ends among them."""
    places = sorted({round(place) for place in np.linspace(0, len(values) - 1, min(most, len(values)))})
    return [(place, setting(values[place])) for place in places]


def _colour(part: float) -> str:
    """viridis, of a part from 0 to 1."""
    colours = np.array(VIRIDIS, np.float64)
    at = np.linspace(0, 1, len(colours))
    return "#" + "".join(f"{round(np.interp(part, at, colours[:, i])):02x}" for i in range(3))


def _key(ends: heatmap.Ends, best: str, known: Known, y: float) -> str:
    parts, x = [], float(LEFT)
    shares = [i / (KEYS - 1) for i in range(KEYS)] if ends is not heatmap.NO_ENDS else []
    entries = [(_colour(share), ends.label_at(share)) for share in shares]
    if entries and best:
        entries[-1] = entries[-1][0], f"{entries[-1][1]} {best}"
    if known.diverged:
        entries.append((DIVERGED, "diverged"))
    for fill, label in entries:
        parts.append(f'<rect x="{_at(x)}" y="{_at(y)}" width="14" height="14" fill="{fill}" stroke="#999"/>')
        parts.append(f'<text x="{_at(x + 20)}" y="{_at(y + 11)}">{escape(label)}</text>')
        x += 34 + 8 * len(label)
    return "".join(parts)


def _at(place: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    return setting(round(place, 1))
