"""Pixels to characters: two a cell, one above the other, in half blocks; or marks, where there are no colours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from d2ltui.charts.colours import Pixels, Styles, packed, style_of
from d2ltui.charts.grid import whole
from d2ltui.charts.spec import Drawing, Run

Characters = npt.NDArray[np.str_]  # (rows, columns), one character each


def half_blocks(pixels: Pixels) -> tuple[Characters, Styles]:
    """Pixels (2·rows, columns, 3) as characters and styles, (rows, columns) each."""
    if len(pixels) % 2:
        pixels = np.concatenate((pixels, pixels[-1:]))
    colours = packed(pixels)
    upper, lower = colours[::2], colours[1::2]
    same = upper == lower
    return np.where(same, " ", "▀"), np.where(same, style_of(0, lower), style_of(upper, lower))


def drawing_of(characters: Characters, styles: Styles) -> Drawing:
    """Cells (rows, columns) as lines of runs of one style."""
    return [_runs("".join(row), codes) for row, codes in zip(characters.tolist(), styles, strict=True)]


def _runs(text: str, styles: Styles) -> list[Run]:
    starts = [0, *(np.flatnonzero(styles[1:] != styles[:-1]) + 1).tolist()] if text else []
    ends = [*starts[1:], len(text)]
    return [(style, whole(text[a:b])) for style, a, b in zip(styles[starts].tolist(), starts, ends, strict=True)]


def marks(values: npt.NDArray[np.floating], shades: str) -> Characters:
    """Values (2·rows, columns) from 0 to 1 as (rows, columns) marks, from the first of `shades` to the last."""
    if len(values) % 2:
        values = np.concatenate((values, values[-1:]))
    means = np.nan_to_num((values[::2] + values[1::2]) / 2).clip(0, 1)
    found: Characters = np.array(list(shades))[np.rint(means * (len(shades) - 1)).astype(int)]
    return found
