"""How each layer's outputs, or weights, have spread over time: heatmaps of their histograms. No widgets here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from d2ltui.charts import axes
from d2ltui.charts.canvas import Look
from d2ltui.charts.colours import Pixels, blend
from d2ltui.charts.grid import one_cell_each, whole
from d2ltui.charts.raster import drawing_of, half_blocks
from d2ltui.charts.spec import RGB, Style
from d2ltui.spec.events import LayersProbed, LayerStats
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number
from d2ltui.spec.width import cells, cut
from d2ltui.tui.panes.layer_lines import TextLine, Values, probed_values

LABEL_WIDTH = 8
MAX_ROWS = 12
RUNS_AWAY = 1000  # times the usual size of outputs: what is larger has no place on their scale
FEW_LOOKS = 6  # up to so many each is seen as a block of its own, which is no state that lasted
FEWEST, SCROLLED = 2, 4  # rows of a layer: where all of them fit, and where the pane scrolls anyway
SHADES = 32  # of colours
# Without colours: more dots, or more ink, for more.
_BRAILLE, _PLAIN = " ⠐⠡⠕⢕⢵⢷⣷⣿", " .:-=+*#%@"
# From little to much, away from the background: of a dark one, and in the other order of a light one.
_RAMP: tuple[RGB, ...] = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_LEGEND_CELLS = 16

Levels = npt.NDArray[np.int64]  # from 0, nothing, to the last shade


def heatmap_lines(
    probes: Sequence[LayersProbed],
    width: int,
    height: int,
    look: Look,
    cursor: int | None = None,
    values: Values = "outputs",
) -> list[TextLine]:
    """For each layer its name and a heatmap: time from left to right, values from low to high, stronger is more.

    Each column is one look at the layer, the one nearest to its place in time, so that the last of few is seen as well
    as the first; its shades are shares of its own highest bin. Below them stand the steps, with that of the `cursor`,
    and the legend.
    """
    if not probes:
        return []
    number_of_layers = len(probed_values(probes[-1], values).layers)
    room = (height - 1) // max(1, number_of_layers) - 1
    rows = min(MAX_ROWS, room) if room >= FEWEST else SCROLLED
    columns = max(1, width - LABEL_WIDTH)
    chosen = _spread(probes, columns)
    made = {id(probed): probed_values(probed, values) for probed in chosen}  # one look has many columns
    chosen = [made[id(probed)] for probed in chosen]
    lines: list[TextLine] = []
    for index in range(number_of_layers):
        history = [probed.layers[index] for probed in chosen if index < len(probed.layers)]
        lines += _heatmap(history, rows, look, values)
    if lines and 1 < len(probes) <= FEW_LOOKS:
        lines[0] = [*lines[0], (Style.AXIS, _few(probes, width - sum(cells(text) for __, text in lines[0]), look))]
    return [*lines, _below(chosen, columns, look, cursor)]


def _few(probes: Sequence[LayersProbed], room: int, look: Look) -> str:
    """How few looks there are: between two of them nobody has looked, and what changes there does so halfway."""
    steps = ", ".join(f"{probed.step:,}" for probed in probes)
    for said in (
        _("{looks} looks, at the steps {steps}: each fills the place up to halfway to the next"),
        _("{looks} looks, each drawn up to halfway to the next"),
        _("{looks} looks"),
    ):
        text = "  " + one_cell_each(said.format(looks=len(probes), steps=steps), look.ascii)
        if len(text) <= room:
            return whole(text)
    return ""


def _below(chosen: Sequence[LayersProbed], columns: int, look: Look, cursor: int | None) -> TextLine:
    """The steps, and, where there is room, what the shades stand for."""
    first, last = chosen[0].step, chosen[-1].step
    legend = _legend(look)
    legend_width = sum(cells(text) for __, text in legend)
    begin, end = _("step {first:,}").format(first=first), f"{last:,}"
    axis = list(one_cell_each(begin, look.ascii) + " " * max(1, columns - cells(begin) - len(end)) + end)
    if cursor is not None and first <= cursor <= last and columns > 1:
        place = round((cursor - first) / max(1, last - first) * (columns - 1))
        mark = f"{'|' if look.ascii else '┊'}{cursor:,}"
        place = min(max(0, place), max(0, columns - len(mark)))
        axis[place : place + len(mark)] = mark[:columns]
    text = whole("".join(axis))
    middle = columns - len(end) - 2
    if cursor is None and legend_width + cells(begin) + 4 < middle:
        start = middle - legend_width
        return [
            (Style.AXIS, " " * LABEL_WIDTH + cut(text, start)),
            *legend,
            (Style.AXIS, " " * (columns - start - legend_width - len(end)) + end),
        ]
    return [(Style.AXIS, " " * LABEL_WIDTH + text)]


def _legend(look: Look) -> TextLine:
    """From nothing to a look's fullest bin."""
    shades = _shades(look)
    levels = np.rint(np.linspace(0, shades - 1, min(_LEGEND_CELLS, shades))).astype(np.int64)
    if shades == SHADES:
        row: TextLine = drawing_of(*half_blocks(_colours(np.stack((levels, levels)), look)))[0]
    else:
        row = [(Style.TRAIN, "".join(_ink(look)[level] for level in levels))]
    return [(Style.AXIS, _("none") + " "), *row, (Style.AXIS, " " + _("the look's fullest bin"))]


def _spread(probes: Sequence[LayersProbed], columns: int) -> list[LayersProbed]:
    """For each column the look that was taken nearest to its place in time."""
    steps = np.array([probed.step for probed in probes], float)
    places = np.linspace(steps[0], steps[-1], columns)
    return [probes[index] for index in np.searchsorted((steps[1:] + steps[:-1]) / 2, places)]


def _heatmap(history: Sequence[LayerStats], rows: int, look: Look, values: Values) -> list[TextLine]:
    last = history[-1]
    shown = _of_one_scale(history)
    if not shown:
        return [
            [
                (
                    Style.TEXT,
                    _("{index} {title}: {values} that are not finite").format(
                        index=last.index, title=last.title, values=_(values)
                    ),
                )
            ]
        ]
    low, high = min(layer.minimum for layer in shown), max(layer.maximum for layer in shown)
    left_out = _(": blank where far beyond this scale, or not finite") if len(shown) < len(history) else ""
    if not axes.apart(low, high):
        low, high = low - 0.5, high + 0.5
    shades = _shades(look)
    edges = np.linspace(low, high, (2 * rows if shades == SHADES else rows) + 1)
    of_look = {id(layer): _column(layer, edges, shades) for layer in history}  # one look has many columns
    levels = np.stack([of_look[id(layer)] for layer in history], axis=1)[::-1]  # the highest row first
    of = "" if values == "outputs" else f": {_(values)}"
    lines: list[TextLine] = [[(Style.TEXT, f"{last.index} {last.title}{of}"), (Style.WARNING, left_out)]]
    if shades == SHADES:
        cells: list[TextLine] = [list(row) for row in drawing_of(*half_blocks(_colours(levels, look)))]
    else:
        cells = [[(Style.TRAIN, "".join(_ink(look)[level] for level in row))] for row in levels.tolist()]
    for row in range(rows):
        label = number(high, width=7) if row == 0 else number(low, width=7) if row == rows - 1 else ""
        lines.append([(Style.AXIS, f"{label:>{LABEL_WIDTH - 1}} "), *cells[row]])
    return lines


def _of_one_scale(history: Sequence[LayerStats]) -> list[LayerStats]:
    """Those looks whose outputs are finite and of the size that they usually have: not those of a run that diverges."""
    finite = [layer for layer in history if not layer.nonfinite and math.isfinite(layer.maximum - layer.minimum)]
    sizes = {id(layer): max(abs(layer.minimum), abs(layer.maximum)) for layer in finite}
    if not finite:
        return []
    some = sorted(filter(None, sizes.values())) or [1.0]  # a dead layer's zeros say nothing of the others' size
    usual = some[len(some) // 2]
    return [layer for layer in finite if sizes[id(layer)] <= RUNS_AWAY * usual]


def _shades(look: Look) -> int:
    """How many there are, nothing included."""
    return SHADES if look.colours and not look.ascii else len(_ink(look))


def _ink(look: Look) -> str:
    return _PLAIN if look.ascii else _BRAILLE


def _colours(levels: Levels, look: Look) -> Pixels:
    """A colour for each level, (rows, columns, 3): the background for nothing, then away from it."""
    anchors = np.array(_RAMP if sum(look.background) < 3 * 128 else _RAMP[::-1], float)
    places = np.linspace(0, len(anchors) - 1, SHADES - 1)
    shades = np.stack([np.interp(places, range(len(anchors)), anchors[:, channel]) for channel in range(3)], axis=1)
    # The weakest shades come out of the background.
    weight = np.linspace(0.45, 1.0, SHADES - 1)
    shown = blend(np.rint(shades).astype(np.uint8), look.background, weight)
    palette = np.concatenate((np.array([look.background], np.uint8), shown))
    found: Pixels = palette[levels]
    return found


def _column(layer: LayerStats, edges: npt.NDArray[np.float64], shades: int) -> Levels:
    """One look's histogram, rebinned to the rows of the heatmap, as levels, the lowest row first."""
    rows = len(edges) - 1
    total = sum(layer.counts)
    if total == 0 or layer.minimum > edges[-1] or layer.maximum < edges[0]:
        return np.zeros(rows, np.int64)
    if layer.maximum - layer.minimum <= 1e-9 * (edges[-1] - edges[0]):  # constant, or as good as: all in one row
        found = np.zeros(rows)
        found[min(rows - 1, max(0, int(np.searchsorted(edges, layer.minimum, "right")) - 1))] = total
    else:
        own = np.linspace(layer.minimum, layer.maximum, len(layer.counts) + 1)
        below = np.concatenate(([0], np.cumsum(layer.counts)))
        found = np.diff(np.interp(edges, own, below))
        if not found.any():
            return np.zeros(rows, np.int64)
    levels: Levels = np.ceil(found / found.max() * (shades - 1)).astype(np.int64)
    return levels
