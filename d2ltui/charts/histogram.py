"""A histogram as columns of block characters."""

from __future__ import annotations

import math

from d2ltui.charts import axes
from d2ltui.charts.grid import Grid, one_cell_each
from d2ltui.charts.plot_area import PlotArea, draw_frame
from d2ltui.charts.sparkline import rebin
from d2ltui.charts.spec import Drawing, HistogramSpec, Style

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_HALVES = " .#"


def draw_histogram(spec: HistogramSpec) -> Drawing:
    """The histogram that `spec` describes: the y axis counts per bin, the x axis reaches over the bins' range."""
    grid = Grid(spec.width, spec.height)
    title = one_cell_each(spec.title, spec.ascii)
    area = PlotArea.within(spec.width, spec.height, legend=bool(title))
    if area is None:
        grid.put(0, 0, title or one_cell_each(spec.empty_text, spec.ascii), Style.TEXT)
        return grid.drawing()
    if area.legend_row is not None:
        grid.put(max(0, spec.width - len(title)), area.legend_row, title, Style.TEXT)
    # Columns are not bins: scaled so that the axis still counts per bin.
    scale = area.width / max(1, len(spec.counts))
    heights = [axes.clamp(height * scale) for height in rebin(spec.counts, area.width)]
    highest = max(heights, default=0.0)
    top = axes.nice_limits(0.0, highest)[1] if highest > 0 else 1.0
    y_ticks = axes.ticks(0.0, top, area.y_intervals) if highest > 0 else []
    low, high = (axes.clamp(end) if math.isfinite(end) else 0.0 for end in (spec.low, spec.high))
    if high - low <= 1e-9 * max(abs(low), 1e-90):
        low, high = low - max(1.0, abs(low)) / 2, low + max(1.0, abs(low)) / 2
    draw_frame(
        grid,
        area,
        x_limits=(low, high),
        x_label=spec.x_label,
        whole=False,
        y_limits=(0.0, top),
        y_ticks=y_ticks,
        y_labels=axes.labels(y_ticks, area.label_width) if area.label_width else [],
        ascii=spec.ascii,
    )
    if highest <= 0:
        text = one_cell_each(spec.empty_text, spec.ascii)[: area.width]
        grid.put(area.left + (area.width - len(text)) // 2, area.top + (area.height - 1) // 2, text, Style.TEXT)
        return grid.drawing()
    ramp = _HALVES if spec.ascii else _EIGHTHS
    steps = len(ramp) - 1
    for column, height in enumerate(heights):
        filled = max(1, round(height / top * area.height * steps)) if height > 0 else 0
        for row in range(area.height):
            part = min(steps, filled - row * steps)
            if part <= 0:
                break
            grid.put(area.left + column, area.top + area.height - 1 - row, ramp[part], spec.style)
    return grid.drawing()
