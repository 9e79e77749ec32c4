"""From the looks at a run's layers to curves over time: norms of gradients and weights, and update ratios."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from d2ltui.charts.draw import draw
from d2ltui.charts.overlay import style
from d2ltui.charts.spec import ChartSpec, Drawing, Line, Style
from d2ltui.charts.timeline import Timeline, Unit
from d2ltui.history.live import LiveRun
from d2ltui.spec.events import LayersProbed, LayerStats
from d2ltui.spec.language import _

_DIGITS = "123456789abcdefghijklmnopqrstuvwxyz"
LOWEST_CHART = 6  # rows of a chart that is worth it

Figure = Callable[[LayerStats], float | None]
FIGURES: tuple[tuple[str, Figure], ...] = (
    (_("gradient norm ‖∇w‖"), lambda layer: layer.gradient_norm),
    (_("weight norm ‖w‖"), lambda layer: layer.weight_norm),
    (_("update ratio ‖Δw‖ / ‖w‖ of a step"), lambda layer: layer.update_ratio),
)


def layer_curves(live: LiveRun, width: int, height: int, *, unit: Unit, cursor: int | None, ascii: bool) -> Drawing:
    """A chart for each figure, one below the other, with a curve for each layer that has weights; logarithmic.

    Where there is no room for all of them, they are as low as they may be, and the pane scrolls.
    """
    probes = live.probes
    if not probes or width <= 0:
        return []
    each = max(LOWEST_CHART, height // len(FIGURES) - 1)
    timeline = Timeline(live, unit)
    places = timeline.x(np.array([probed.step for probed in probes], float)).tolist()
    drawing: Drawing = []
    for name, figure in FIGURES:
        chart = ChartSpec(
            width=width,
            height=each,
            lines=_lines(probes, places, figure, ascii),
            x_low=places[0],
            x_high=max(places[-1], timeline.at(max(live.step, 1))),
            log=True,
            x_label=timeline.label,
            ascii=ascii,
            empty_text=_("not measured yet") if live.ended is None else _("not measured in this run"),
            cursor=None if cursor is None else timeline.at(min(cursor, live.step)),
        )
        drawing.append([(int(Style.TEXT), _plain(name, ascii)[:width])])
        drawing += draw(chart)
    return drawing


def _lines(probes: Sequence[LayersProbed], places: Sequence[float], figure: Figure, ascii: bool) -> list[Line]:
    """A curve for each layer that has the figure, marked with its number."""
    lines: list[Line] = []
    for position, layer in enumerate(probes[-1].layers):
        values = [figure(probed.layers[position]) if position < len(probed.layers) else None for probed in probes]
        known = [(x, value) for x, value in zip(places, values, strict=True) if value and math.isfinite(value)]
        if known:
            mark = _DIGITS[(layer.index - 1) % len(_DIGITS)]
            x, y = ([point[axis] for point in known] for axis in (0, 1))
            label = f"{layer.title.replace('→', '->') if ascii else layer.title}"
            lines.append(Line(label, style(len(lines)), x, y, marker=mark))
    return lines


def _plain(name: str, ascii: bool) -> str:
    return name.replace("‖", "|").replace("∇", "d").replace("Δ", "d ") if ascii else name
