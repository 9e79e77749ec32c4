"""A map as lines of runs: its cells, what their shades and marks stand for, and one cell's figures and curves."""

from __future__ import annotations

import itertools
import math
import string
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from d2ltui.charts import heatmap
from d2ltui.charts.colours import packed, style_of
from d2ltui.charts.draw import draw
from d2ltui.charts.spec import ChartSpec, Drawing, Line, Run, Style
from d2ltui.spec.findings import rule_in_words
from d2ltui.spec.language import _, pgettext
from d2ltui.spec.maps import CURVES, LOGARITHMIC, LOWER_IS_BETTER, UNIT, Cell, Figures, Known, MapSpec, called
from d2ltui.spec.numbers import setting
from d2ltui.spec.text import counted
from d2ltui.spec.width import cut

if TYPE_CHECKING:
    from d2ltui.charts.canvas import Look

LETTERS = string.ascii_letters + string.digits
# From dark blue over green to yellow: viridis, whose lightness grows evenly.
VIRIDIS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
FALLING = (*LOWER_IS_BETTER, "dead", "saturated")  # of which less is better, and brighter
_LIGHTNESS, _LIGHT = np.array((0.299, 0.587, 0.114)), 128.0  # of red, green and blue; from there on a colour is light
_DARKER = 0.72  # of a cell's colour, behind its shade
_WIDE_RANGE = 20.0  # the largest loss over the lowest: from here on the axis is logarithmic


def title(spec: MapSpec) -> str:
    """What is trained, in a few words."""
    config = spec.config
    epochs = counted(config.epochs, "epoch")
    for axis in (spec.x, spec.y):
        if axis.field == "epochs":
            epochs = _("{low} to {high} epochs").format(low=min(axis.values), high=max(axis.values))
    seeds = _(", {seeds} seeds each").format(seeds=spec.seeds) if spec.seeds > 1 else ""
    return _("{model} ({implementation}) on {dataset}, {epochs}{seeds}").format(
        model=config.model,
        implementation=config.implementation,
        dataset=config.dataset,
        epochs=epochs,
        seeds=seeds,
    )


def draw_cells(
    spec: MapSpec,
    known: Known,
    quantity: str,
    *,
    ascii: bool,
    grid: heatmap.Grid | None = None,
    cursor: Cell | None = None,
) -> Drawing:
    """The map of one quantity as far as it is known, with its axes; of a large one the part that `grid` shows."""
    shown = grid or heatmap.Grid(range(spec.columns), range(spec.rows))
    values = np.full((len(shown.rows), len(shown.columns)), np.nan)
    marks: dict[Cell, str] = {}
    letters = letters_of(known)
    for (j, row), (i, column) in itertools.product(enumerate(shown.rows), enumerate(shown.columns)):
        figures = known.at(column, row)
        if figures is None:
            marks[i, j] = heatmap.WAITING
        elif quantity == "finding":
            found = figures["finding"]
            marks[i, j] = heatmap.HEALTHY if found is None else letters.get(found, "?") * heatmap.CELL
        elif figures["status"] == "diverged":
            marks[i, j] = heatmap.DIVERGED
        elif (number := figures.get(quantity)) is not None:
            values[j, i] = number
    x = [setting(spec.x.values[column]) for column in shown.columns]
    y = [setting(spec.y.values[row]) for row in shown.rows]
    place = None
    if cursor is not None and cursor[0] in shown.columns and cursor[1] in shown.rows:
        place = shown.columns.index(cursor[0]), shown.rows.index(cursor[1])
    names, ends = (spec.x.field, spec.y.field), ends_of(known, quantity)
    return heatmap.draw_map(values, marks, x, y, names, ends, ascii=ascii, grid=grid, cursor=place)


def ends_of(known: Known, quantity: str) -> heatmap.Ends:
    """What the darkest and the brightest shade of a quantity stand for: the brighter, the better."""
    if quantity not in known.low:
        return heatmap.NO_ENDS
    middle = known.middle(quantity)  # one odd cell would leave all others the same shade
    return heatmap.ends_between(
        middle.low,
        middle.high,
        log=quantity in LOGARITHMIC,
        unit=quantity in UNIT,
        falling=quantity in FALLING,
        beyond=(middle.below, middle.above),
    )


def best_of(known: Known, quantity: str) -> str:
    """The word for the brightest shade of a quantity; none where it is not known, or neither end of it is better."""
    return _("(best)") if quantity in known.low and quantity != "gradient-ratio" else ""


def letters_of(known: Known) -> dict[str, str]:
    """A letter for each finding, the commonest first."""
    return dict(zip((rule for rule, _ in known.findings.most_common()), LETTERS, strict=False))


def key_of(known: Known, quantity: str, *, ascii: bool) -> list[Run]:
    """What the shades and marks of a quantity stand for."""
    if quantity == "finding":
        named = [f"{letter * heatmap.CELL} {rule_in_words(rule)}" for rule, letter in letters_of(known).items()]
        return [
            (Style.AXIS, "  ".join([*named, _("{letter} nothing").format(letter=".." if ascii else heatmap.HEALTHY)]))
        ]
    line: list[Run] = []
    if quantity in known.low or not (known.diverged or known.without[quantity]):
        line = heatmap.legend(ends_of(known, quantity), ascii=ascii, best=best_of(known, quantity))
    if known.diverged:
        line += [
            (Style.WARNING, "xx" if ascii else heatmap.DIVERGED),
            (Style.AXIS, f" {pgettext('status', 'diverged')}  "),
        ]
    if known.without[quantity]:
        line += [(Style.AXIS, heatmap.NOTHING), (Style.AXIS, f" {_why_none(quantity)}")]
    return line


def _why_none(quantity: str) -> str:
    """Why a network may have no value of a quantity."""
    why = {
        "dead": _("no units that can die"),
        "saturated": _("no units that can saturate"),
        "gradient-ratio": _("no gradients to compare"),
    }
    return why.get(quantity, _("not known"))


def coloured(drawing: Drawing, look: Look) -> Drawing:
    """`drawing` with the shades in the colours of a terminal that has them, or else as plain text."""
    if not look.colours:
        return [[(_plain(style), text) for style, text in line] for line in drawing]
    colours = np.array(VIRIDIS, np.float64)
    places = np.linspace(0, len(VIRIDIS) - 1, heatmap.LEVELS)
    levels = np.stack([np.interp(places, range(len(VIRIDIS)), colours[:, i]) for i in range(3)], axis=1)
    # Behind the full block nothing is to be seen, unless a font leaves a gap between its rows.
    full = [heatmap.shade(level, ascii=look.ascii) == heatmap.SHADES[-1] for level in range(heatmap.LEVELS)]
    behind = levels * np.where(full, 1.0, _DARKER)[:, None]
    # Brackets are as light as the colour below them is dark.
    edges = np.where(levels @ _LIGHTNESS > _LIGHT, 0.0, 255.0)[:, None] * np.ones(3)
    front, back, flat, edge = (packed(np.rint(pixels).astype(np.uint8)) for pixels in (levels, behind, levels, edges))
    styles = [*style_of(front, back).tolist(), *style_of(edge, flat).tolist()]

    def style_for(style: int) -> int:
        level = style - heatmap.FIRST_LEVEL
        return styles[level] if 0 <= level < len(styles) else style

    return [[(style_for(style), text) for style, text in line] for line in drawing]


def _plain(style: int) -> int:
    """Without colours, shades are text."""
    return Style.TEXT if heatmap.FIRST_LEVEL <= style < heatmap.CURSOR + heatmap.LEVELS else style


def draw_curves(figures: Figures, name: str, width: int, height: int, ascii: bool) -> Drawing:
    """A cell's curves of the training's and the validation data's loss, or of its metric, over epochs; their title."""
    curves: Mapping[str, list[float | None]] = figures.get(CURVES) or {}
    epochs = [float(epoch or 0) for epoch in curves.get("epoch", ())]

    def numbers(of: str) -> list[float]:
        return [math.nan if value is None else value for value in curves[of]]

    lines, log, said = [], False, _("loss") if name == "loss" else ""
    if epochs:
        if name == "loss":
            lines = [
                Line("train", Style.TRAIN, epochs, numbers("train_loss")),
                Line("val", Style.VALIDATION, epochs, numbers("val_loss"), marker="" if len(epochs) > 1 else "●"),
            ]
            there = [y for line in lines for y in line.y if math.isfinite(y)]
            log = bool(there) and min(there) > 0 and max(there) > _WIDE_RANGE * min(there)
            said = _("loss, on a logarithmic scale") if log else _("loss")
        else:
            metric = next(of for of in curves if of in ("val_accuracy", "val_r2"))
            lines = [Line(metric, Style.VALIDATION, epochs, numbers(metric))]
            said = called(metric)
    chart = draw(
        ChartSpec(
            width=width,
            height=height - 1,
            lines=lines,
            x_low=min(1.0, *epochs) if len(epochs) > 1 else 0.0,
            x_high=max([*epochs, 2.0]),
            log=log,
            x_label="epoch",
            ascii=ascii,
            empty_text=_("no curves"),
        )
    )
    return [[(Style.TEXT, cut(said, width))], *chart]
