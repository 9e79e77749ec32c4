"""Images beside each other, each with a line below it: samples, and numbers in the plane."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from d2ltui.charts.canvas import Canvas, Look, under
from d2ltui.charts.colours import diverging
from d2ltui.charts.grid import one_cell_each
from d2ltui.charts.raster import Characters, marks
from d2ltui.charts.spec import Drawing, Run, Style
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number
from d2ltui.spec.pictures import Images, Maps

LEVELS = 24  # of grey: more are not told apart, and each pair of them is a style of its own
CUBE = 6  # of each colour
_SHADES, _PLAIN = " ░▒▓█", " .:-=+*#%@"


def images(picture: Images, width: int, height: int, look: Look) -> Drawing:
    """Samples, grey or in colour, with what is said of each; mistakes in the colour of warnings."""
    levels = LEVELS if picture.images.shape[-1] == 1 else CUBE
    pixels = np.rint(np.rint(picture.images / 255 * (levels - 1)) * 255 / (levels - 1)).astype(np.uint8)
    pixels = np.broadcast_to(pixels, (*pixels.shape[:-1], 3))
    canvas = Canvas(width, height - 1)

    def show(index: int, column: int, row: int) -> None:
        if look.colours:
            canvas.paint(pixels[index], look, column, row)
        else:
            canvas.place(
                marks(pixels[index].mean(-1) / 255, _PLAIN if look.ascii else _SHADES), Style.TEXT, column, row
            )

    styles = [Style.WARNING if wrong else Style.TEXT for wrong in picture.wrong]
    _lay_out(canvas, picture.images.shape[1:3], picture.captions, styles, look, show)
    return under(canvas.drawing(), _page(picture), width, look.ascii, height)


def maps(picture: Maps, width: int, height: int, look: Look) -> Drawing:
    """Each map on one scale, blue below 0 and orange above it; without colours `=` and `-`, `+` and `#`."""
    finite = picture.maps[np.isfinite(picture.maps)]
    limit = float(np.abs(finite).max()) if len(finite) else 1.0
    canvas = Canvas(width, height - 1)

    def show(index: int, column: int, row: int) -> None:
        if look.colours:
            pixels = diverging(picture.maps[index], limit, look.background)
            canvas.paint(pixels if len(pixels) % 2 == 0 else np.concatenate((pixels, pixels[-1:])), look, column, row)
        else:
            canvas.place(_signs(picture.maps[index], limit), Style.TEXT, column, row)

    _lay_out(canvas, picture.maps.shape[1:3], picture.captions, [Style.AXIS] * len(picture.maps), look, show)
    signs = _("blue −, orange +") if look.colours else _("= - below 0, + # above it")
    some = len(picture.captions) < picture.total
    scale = _("{signs}, at most {limit} among these") if some else _("{signs}, at most {limit}")
    said = _page(picture, "; " + scale.format(signs=signs, limit=number(limit, 2)))
    return under(canvas.drawing(), said, width, look.ascii, height)


def _signs(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], limit: float) -> Characters:
    level = np.nan_to_num(values / limit if limit else values * 0).clip(-1, 1)
    found: Characters = np.array(list("=- +#"))[np.rint(level[::2] * 2).astype(int) + 2]
    return found


def _lay_out(
    canvas: Canvas,
    shape: tuple[int, ...],
    captions: tuple[str, ...],
    styles: list[Style],
    look: Look,
    show: Callable[[int, int, int], None],
) -> None:
    """Call `show(index, column, row)` for each image, with a column between two and a line of text below each."""
    rows, columns = -(-shape[0] // 2), shape[1]
    across = max(1, (canvas.columns + 1) // (columns + 1))
    for index, (text, style) in enumerate(zip(captions, styles, strict=True)):
        row, column = index // across * (rows + 1), index % across * (columns + 1)
        if row >= canvas.rows:
            return
        show(index, column, row)
        canvas.write(column, row + rows, one_cell_each(text, look.ascii)[:columns], style)


def _page(picture: Images | Maps, more: str = "") -> list[Run]:
    last = picture.first + len(picture.captions)
    note = picture.note
    if len(picture.captions) < picture.total:
        note = _("{first:,} to {last:,} of {note}").format(first=picture.first + 1, last=last, note=note)
    return [(int(Style.AXIS), f"{note}{more}")]
