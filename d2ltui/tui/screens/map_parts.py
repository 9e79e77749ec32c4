"""The parts of the map's screen: the map with its cursor, and what is known of the cell under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.binding import Binding
from textual.message import Message

from d2ltui.charts.sparkline import sparkline
from d2ltui.charts.spec import Drawing, Style
from d2ltui.spec.catalogue import layer_plan
from d2ltui.spec.language import _
from d2ltui.spec.maps import HISTOGRAMS, SAID, Cell, Figures, Known, MapSpec, called
from d2ltui.spec.numbers import optional, percent, setting
from d2ltui.spec.width import cells, cut, padded, wrapped
from d2ltui.tui.panes.look import look_of
from d2ltui.tui.widgets.lines import LinesView

if TYPE_CHECKING:
    from d2ltui.charts.heatmap import Grid

STRIDE = 4  # cells by which shift moves the cursor
LEAST_CURVE = 6  # rows of a chart


class MapView(LinesView, can_focus=True):
    """The cells, and below them what their shades stand for. The arrows and the mouse move the cursor."""

    BINDINGS = [
        Binding("left", "move(-1, 0)", show=False),
        Binding("right", "move(1, 0)", show=False),
        Binding("up", "move(0, 1)", show=False),
        Binding("down", "move(0, -1)", show=False),
        Binding("shift+left", f"move(-{STRIDE}, 0)", show=False),
        Binding("shift+right", f"move({STRIDE}, 0)", show=False),
        Binding("shift+up", f"move(0, {STRIDE})", show=False),
        Binding("shift+down", f"move(0, -{STRIDE})", show=False),
        Binding("enter", "take", "to form", key_display="enter"),
    ]

    class Moved(Message):
        """The cursor is to be on another cell."""

        def __init__(self, cell: Cell) -> None:
            super().__init__()
            self.cell = cell

    class Taken(Message):
        """The cell under the cursor is wanted."""

    def __init__(self) -> None:
        super().__init__(id="map", scrolls=False)
        self.cursor: Cell = (0, 0)
        self._grid: Grid | None = None
        self._shape = (0, 0)  # columns, rows of the map

    def show_map(self, spec: MapSpec, known: Known, quantity: str, cursor: Cell, ascii: bool) -> None:
        """Draw what is known; of a large map the part around the cursor."""
        from d2ltui.charts import heatmap, of_map

        width, height = self.size
        before = self._grid if self._shape == (spec.columns, spec.rows) else None
        self.cursor, self._shape = cursor, (spec.columns, spec.rows)
        # A line is for what the shades stand for, and findings may need more than one.
        key = _wrapped_key(of_map.key_of(known, quantity, ascii=ascii), width)
        room = max(heatmap.FRAME_HEIGHT + 1, height - len(key))
        grid = self._grid = heatmap.Grid.fitted((spec.rows, spec.columns), cursor, width, room, before)
        drawing = of_map.draw_cells(spec, known, quantity, ascii=ascii, grid=grid, cursor=cursor)
        self.show(of_map.coloured([*drawing, *key], look_of(self, ascii)))

    def action_move(self, across: int, up: int) -> None:
        """The cursor, as far as there are cells."""
        columns, rows = self._shape
        if columns and rows:
            column, row = self.cursor
            self.post_message(self.Moved((_within(column + across, columns), _within(row + up, rows))))

    def action_take(self) -> None:
        """The cell under the cursor."""
        self.post_message(self.Taken())

    def on_click(self, event: events.Click) -> None:
        """The cell under the pointer; twice: take it."""
        cell = self._grid.cell_at(event.x, event.y) if self._grid is not None else None
        if cell is not None:
            self.post_message(self.Moved(cell))
            if event.chain > 1:
                self.post_message(self.Taken())


def _within(place: int, total: int) -> int:
    return max(0, min(total - 1, place))


def _wrapped_key(key: list[tuple[int, str]], width: int) -> Drawing:
    if len(key) == 1:  # findings, each with its letters
        style, text = key[0]
        entries = text.split("  ")
        lines = [""]
        for entry in entries:
            if lines[-1] and cells(lines[-1]) + 2 + cells(entry) > width:
                lines.append("")
            lines[-1] += ("  " if lines[-1] else "") + entry
        return [[(style, line)] for line in lines]
    lines_of_shades: Drawing = [[]]
    for shade, meaning in zip(key[::2], key[1::2], strict=True):
        used = sum(cells(text) for __, text in lines_of_shades[-1])
        if used and used + cells(shade[1]) + cells(meaning[1].rstrip()) > width:
            lines_of_shades.append([])
        lines_of_shades[-1] += [shade, meaning]
    return lines_of_shades


def cell_lines(spec: MapSpec, cell: Cell, figures: Figures | None, quantity: str, width: int) -> Drawing:
    """A cell's values of both axes, its figures, and its finding in words."""
    values = ((axis.field, axis.values[place]) for axis, place in zip((spec.x, spec.y), cell, strict=True))
    lines: Drawing = [[(Style.AXIS, f"{field:<15}"), (Style.TEXT, setting(value))] for field, value in values]
    if figures is None:
        return [*lines, [(Style.AXIS, "")], [(Style.AXIS, _("not trained yet"))]]
    lines.append([(Style.AXIS, "")])
    for name, value in figures.items():
        if not (isinstance(value, (int, float)) or value is None) or name in ("finding", SAID, "diverged"):
            continue
        style = Style.TEXT if name == quantity else Style.AXIS
        said = percent(value) if name in ("dead", "saturated") and value is not None else optional(value)
        lines.append([(style, padded(called(name), 15)), (Style.TEXT, said)])
    if figures.get("diverged"):
        lines.append(
            [
                (Style.AXIS, padded(_("diverged"), 15)),
                (Style.WARNING, _("{number} of {seeds} seeds").format(number=figures["diverged"], seeds=spec.seeds)),
            ]
        )
    rule = figures["finding"]
    lines.append(
        [
            (Style.AXIS, padded(_("finding"), 15)),
            (Style.WARNING if rule else Style.FIT, _(rule) if rule else _("nothing")),
        ]
    )
    words = wrapped(figures.get(SAID) or "", max(10, width))
    return [*lines, *([(int(Style.TEXT), line)] for line in words)]


def histogram_lines(spec: MapSpec, cell: Cell, figures: Figures, width: int, ascii: bool) -> Drawing:
    """What each activation of a cell's network gives, as a line: its layer, both ends, and between them a histogram."""
    histograms = figures.get(HISTOGRAMS) or ()
    layers = [layer for layer in layer_plan(spec.run_of(cell)) if layer.kind == "activation"]
    found: Drawing = []
    for place, (title, low, high, counts) in enumerate(histograms):
        ends = _("{low} to {high}").format(low=optional(low), high=optional(high))
        if len(layers) == len(histograms):
            title = _("layer {index} ({title})").format(index=layers[place].index, title=layers[place].title)
        found.append([(Style.AXIS, cut(title, max(0, width - cells(ends) - 2)) + "  "), (Style.TEXT, ends)])
        found.append([(Style.TRAIN, sparkline(counts, min(width, len(counts)), ascii, root=True))])
    return found
