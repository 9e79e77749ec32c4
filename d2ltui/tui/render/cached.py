"""CachedRender, KeptLooks and FrameOnly: widgets that are drawn once, and shown again until something has changed.

With every frame Textual renders each widget near what has changed. It keeps single lines itself; but to find them again
it works out backgrounds, titles and styles anew, which takes longer than to draw the few lines that have changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Region, Size
from textual.strip import Strip

from d2ltui.tui.render.compositor import BatchedWidget
from d2ltui.tui.render.stylesheet import ThemeStylesheet

if TYPE_CHECKING:
    from typing_extensions import Self

KEPT_ROWS = 64  # of a frame: a few sizes, focused and not


class CachedRender(BatchedWidget):
    """Its rows stay as they are until `refresh()` is called, or its size or its style changes."""

    _kept: tuple[Region, Size, list[Strip]] | None = None

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows of `crop`."""
        size = self.outer_size
        if self._kept is None or self._kept[0] != crop or self._kept[1] != size:
            self._kept = (crop, size, self._draw_rows(crop))
        return self._kept[2]

    def _draw_rows(self, crop: Region) -> list[Strip]:
        return super().render_lines(crop)

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Something about it may look otherwise."""
        self._kept = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        """The theme, or the focus, has changed."""
        super().notify_style_update()
        self._kept = None


class KeptLooks(BatchedWidget):
    """A widget that rarely changes: in a look that it has had before its rows are those that were drawn then."""

    _drawn: dict[object, list[Strip]] | None = None  # by all that they depend on; None where it has changed

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows of `crop`."""
        sheet = self.app.stylesheet
        look = sheet.look(self) if isinstance(sheet, ThemeStylesheet) else None
        if look is None or self.screen.selections:  # what is selected looks otherwise
            return super().render_lines(crop)
        if self._drawn is None or len(self._drawn) > KEPT_ROWS:
            self._drawn = {}
        key = look, crop, self.outer_size, *self.get_line_filters()
        if key not in self._drawn:
            self._drawn[key] = super().render_lines(crop)
        return self._drawn[key]

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Something about it may look otherwise."""
        self._drawn = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def refresh_look(self) -> None:
        """Draw it in other colours."""
        super().refresh()


class FrameOnly(CachedRender):
    """A widget that shows nothing but its frame: what it holds lies in front of the rest.

    All rows within the frame are alike, so one is rendered for all of them. Every container on a screen is rendered
    where the layout changes, seen or not: together they took longer than all that they hold.

    Back in a size and a look that it had before, it is what it was then: the focus goes to and fro, a pane is zoomed
    and back.
    """

    _rows: dict[object, Strip] | None = None  # by all that a row depends on

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows of `crop`."""
        sheet = self.app.stylesheet
        look = sheet.look(self) if isinstance(sheet, ThemeStylesheet) else None
        if look is None:
            return super().render_lines(crop)
        filters = tuple(self.get_line_filters())
        if self._rows is None or len(self._rows) > KEPT_ROWS:
            self._rows = {}
        size = self.outer_size
        top, below = self.gutter.top, size.height - self.gutter.bottom
        lines: list[Strip] = []
        row = crop.y
        while row < crop.bottom:
            within = top <= row < below
            count = min(below, crop.bottom) - row if within else 1
            edge = None if within else (row, size.height, self.border_title if row < top else self.border_subtitle)
            key = (look, filters, crop.column_span, size.width, edge)
            strip = self._rows.get(key)
            if strip is None:
                (strip,) = super()._draw_rows(Region(crop.x, row, crop.width, 1))
                self._rows[key] = strip
            lines += [strip] * count
            row += count
        return lines

    _rows_within: dict[tuple[int, int, int], Strip] | None = None  # by first column, columns, and the widget's width

    def _draw_rows(self, crop: Region) -> list[Strip]:
        lines: list[Strip] = []
        below = self.outer_size.height - self.gutter.bottom
        row = crop.y
        while row < crop.bottom:
            if self.gutter.top <= row < below:
                count = min(below, crop.bottom) - row
                lines += [self._row_within(crop.x, row, crop.width)] * count
            else:
                count = 1
                lines += super()._draw_rows(Region(crop.x, row, crop.width, 1))
            row += count
        return lines

    def _row_within(self, x: int, y: int, width: int) -> Strip:
        if self._rows_within is None:
            self._rows_within = {}
        where = (x, width, self.outer_size.width)
        if where not in self._rows_within:
            (self._rows_within[where],) = super()._draw_rows(Region(x, y, width, 1))
        return self._rows_within[where]

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Something about it may look otherwise; with `regions`, of its frame."""
        if not regions:
            self._rows_within = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        """The theme, or the focus, has changed."""
        super().notify_style_update()
        self._rows_within = None
