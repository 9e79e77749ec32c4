"""How each layer's outputs have spread over time: heatmaps of their histograms, as lines of text. No widgets here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from d2ltui.charts import axes
from d2ltui.charts.spec import Style
from d2ltui.spec.events import LayersProbed, LayerStats
from d2ltui.tui.panes.layer_lines import TextLine, number

LABEL_WIDTH = 8
MAX_ROWS = 12
FEWEST, SCROLLED = 2, 4  # rows of a layer: where all of them fit, and where the pane scrolls anyway
_SHADES = " ░▒▓█"
_PLAIN = " .:*#"


def heatmap_lines(probes: Sequence[LayersProbed], width: int, height: int, ascii: bool) -> list[TextLine]:
    """For each layer its name and a heatmap: time from left to right, outputs from low to high, darker is more.

    Each column is one look at the layer, the last one until its place in time; its shades are shares of its own highest
    bin.
    """
    if not probes:
        return []
    number_of_layers = len(probes[-1].layers)
    room = (height - 1) // max(1, number_of_layers) - 1
    rows = min(MAX_ROWS, room) if room >= FEWEST else SCROLLED
    columns = max(1, width - LABEL_WIDTH)
    chosen = _spread(probes, columns)
    lines: list[TextLine] = []
    for index in range(number_of_layers):
        history = [probed.layers[index] for probed in chosen if index < len(probed.layers)]
        lines += _heatmap(history, rows, ascii)
    steps = f"step {chosen[0].step:,}", f"{chosen[-1].step:,}"
    gap = " " * max(1, len(chosen) - len(steps[0]) - len(steps[1]))
    lines.append([(Style.AXIS, " " * LABEL_WIDTH + steps[0] + gap + steps[1])])
    return lines


def _spread(probes: Sequence[LayersProbed], columns: int) -> list[LayersProbed]:
    """For each column the last look that was taken until its place in time."""
    steps = np.array([probed.step for probed in probes])
    places = np.linspace(steps[0], steps[-1], columns)
    return [probes[index] for index in np.searchsorted(steps, places, "right") - 1]


def _heatmap(history: Sequence[LayerStats], rows: int, ascii: bool) -> list[TextLine]:
    last = history[-1]
    low, high = min(layer.minimum for layer in history), max(layer.maximum for layer in history)
    if not math.isfinite(high - low):
        return [[(Style.TEXT, f"{last.index} {last.title}: outputs that are not finite")]]
    if not axes.apart(low, high):
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, rows + 1)
    shades = _PLAIN if ascii else _SHADES
    columns = [_column(layer, edges, shades) for layer in history]
    lines: list[TextLine] = [[(Style.TEXT, f"{last.index} {last.title}")]]
    for row in reversed(range(rows)):
        label = number(high) if row == rows - 1 else number(low) if row == 0 else ""
        cells = "".join(column[row] for column in columns)
        lines.append([(Style.AXIS, f"{label:>{LABEL_WIDTH - 1}} "), (Style.TRAIN, cells)])
    return lines


def _column(layer: LayerStats, edges: npt.NDArray[np.float64], shades: str) -> list[str]:
    """One look's histogram, rebinned to the rows of the heatmap, as shades."""
    rows = len(edges) - 1
    total = sum(layer.counts)
    if total == 0:
        return [shades[0]] * rows
    if layer.maximum - layer.minimum <= 1e-9 * (edges[-1] - edges[0]):  # constant, or as good as: all in one row
        found = np.zeros(rows)
        found[min(rows - 1, max(0, int(np.searchsorted(edges, layer.minimum, "right")) - 1))] = total
    else:
        own = np.linspace(layer.minimum, layer.maximum, len(layer.counts) + 1)
        below = np.concatenate(([0], np.cumsum(layer.counts)))
        found = np.diff(np.interp(edges, own, below))
    levels = np.ceil(found / found.max() * (len(shades) - 1)).astype(int)
    return [shades[level] for level in levels]
