"""Images beside each other, each with a line below it: samples, and numbers in the plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from d2ltui.charts.canvas import Canvas, Look, under
from d2ltui.charts.colours import blend, diverging
from d2ltui.charts.grid import one_cell_each, shortened
from d2ltui.charts.raster import Characters, marks
from d2ltui.charts.spec import Drawing, Run, Style
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number
from d2ltui.spec.pictures import Images, Maps

_Number = TypeVar("_Number", bound=np.generic)
LEVELS = 24  # of grey: more are not told apart, and each pair of them is a style of its own
CUBE = 6  # of each colour
_GROUND = 0.15  # of the way from the background to the foreground: what is 0 in a map
_SHADES, _PLAIN = " ░▒▓█", " .:-=+*#%@"


def images(picture: Images, width: int, height: int, look: Look) -> Drawing:
    """Samples, grey or in colour, with what is said of each; mistakes in the colour of warnings."""
    levels = LEVELS if picture.images.shape[-1] == 1 else CUBE
    pixels = np.rint(np.rint(picture.images / 255 * (levels - 1)) * 255 / (levels - 1)).astype(np.uint8)
    pixels = np.broadcast_to(pixels, (*pixels.shape[:-1], 3))
    canvas = Canvas(width, height - 1)

    def show(index: int, times: int, column: int, row: int) -> None:
        shown = _magnified(pixels[index], times)
        if look.colours:
            canvas.paint(shown, look, column, row)
        else:
            canvas.place(marks(shown.mean(-1) / 255, _PLAIN if look.ascii else _SHADES), Style.TEXT, column, row)

    styles = [Style.WARNING if wrong else Style.TEXT for wrong in picture.wrong]
    _lay_out(canvas, picture.images.shape[1:3], picture, styles, look, show)
    for key in picture.key:
        told = under(canvas.drawing(), _page(picture, f"; {key}"), width, look.ascii, height)
        if _ends_with(told, key, look.ascii):
            return told
    if picture.key:  # rather than the end of what they are
        note = "".join(text for _, text in _page(picture))
        return under(canvas.drawing(), [(int(Style.AXIS), f"{picture.key[-1]}; {note}")], width, look.ascii, height)
    return under(canvas.drawing(), _page(picture), width, look.ascii, height)


def _ends_with(drawing: Drawing, said: str, ascii: bool) -> bool:
    """Whether the text below a picture goes on to its end, which is `said`, in however many lines."""
    told = "".join(text for line in drawing[-3:] for _, text in line)
    return told.replace(" ", "").endswith(one_cell_each(said, ascii).replace(" ", ""))


def maps(picture: Maps, width: int, height: int, look: Look) -> Drawing:
    """Every map of all pages on one scale, blue below 0 and orange above it; without colours `=` and `-`, `+` and `#`.

    What is 0 has a shade, or a dot, so that each map is seen as a tile.
    """
    limit = picture.limit
    if limit is None:
        limit = float(np.abs(picture.maps[np.isfinite(picture.maps)]).max(initial=0.0))
    red, green, blue = blend(np.array(look.foreground, np.uint8), look.background, np.array(_GROUND)).tolist()
    canvas = Canvas(width, height - 1)

    def show(index: int, times: int, column: int, row: int) -> None:
        values = _magnified(picture.maps[index], times)
        if look.colours:
            pixels = diverging(values, limit, (red, green, blue))
            canvas.paint(pixels if len(pixels) % 2 == 0 else np.concatenate((pixels, pixels[-1:])), look, column, row)
        else:
            canvas.place(_signs(values, limit), Style.TEXT, column, row)

    _lay_out(canvas, picture.maps.shape[1:3], picture, [Style.AXIS] * len(picture.maps), look, show)
    signs = _("blue −, orange +") if look.colours else _("= - below 0, + # above it")
    some = len(picture.captions) < picture.total
    scale = _("{signs}, at most {limit} on all pages") if some else _("{signs}, at most {limit}")
    said = _page(picture, "; " + scale.format(signs=signs, limit=number(limit, 2)))
    return under(canvas.drawing(), said, width, look.ascii, height)


def _signs(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], limit: float) -> Characters:
    level = np.nan_to_num(values / limit if limit else values * 0).clip(-1, 1)
    found: Characters = np.array(list("=-.+#"))[np.rint(level[::2] * 2).astype(int) + 2]
    return found


def _lay_out(
    canvas: Canvas,
    shape: tuple[int, ...],
    picture: Images | Maps,
    styles: list[Style],
    look: Look,
    show: Callable[[int, int, int, int], None],
) -> None:
    """Call `show(index, times, column, row)` for each image, with a column between two and a line of text below each.

    Each pixel is drawn `times` as wide and as high: as large as there is room for all of them.
    """
    times = 1
    while _has_room(canvas, shape, times + 1, len(picture.captions)):
        times += 1
    rows, columns = -(-shape[0] * times // 2), shape[1] * times
    across = max(1, (canvas.columns + 1) // (columns + 1))
    short = picture.short or picture.captions
    for index, (said, shorter, style) in enumerate(zip(picture.captions, short, styles, strict=True)):
        row, column = index // across * (rows + 1), index % across * (columns + 1)
        if row >= canvas.rows:
            return
        show(index, times, column, row)
        text = said if len(one_cell_each(said, look.ascii)) <= columns else shorter
        canvas.write(column, row + rows, shortened(text, columns, look.ascii), style)


def _has_room(canvas: Canvas, shape: tuple[int, ...], times: int, number: int) -> bool:
    across = (canvas.columns + 1) // (shape[1] * times + 1)
    return number > 0 and across * (canvas.rows // (-(-shape[0] * times // 2) + 1)) >= number


def _magnified(pixels: npt.NDArray[_Number], times: int) -> npt.NDArray[_Number]:
    return pixels.repeat(times, 0).repeat(times, 1)


def _page(picture: Images | Maps, more: str = "") -> list[Run]:
    last = picture.first + len(picture.captions)
    note = picture.note
    if len(picture.captions) == 1 < picture.total:
        note = _("{first:,} of {note}").format(first=last, note=note)
    elif len(picture.captions) < picture.total:
        note = _("{first:,} to {last:,} of {note}").format(first=picture.first + 1, last=last, note=note)
    return [(int(Style.AXIS), f"{note}{more}")]
