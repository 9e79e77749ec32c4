"""Colours of cells: two of them, packed into the number of a style, so that a picture is an array of such numbers."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from d2ltui.charts.spec import COLOURED, FOREGROUND, RGB, THERE

Pixels: TypeAlias = npt.NDArray[np.uint8]  # (..., 3)
Styles: TypeAlias = npt.NDArray[np.int64]

# Okabe and Ito's eight, which people with any kind of colour vision tell apart, without black; then others.
_CLASSES = (
    (0x56, 0xB4, 0xE9), (0xE6, 0x9F, 0x00), (0x00, 0x9E, 0x73), (0xCC, 0x79, 0xA7), (0xF0, 0xE4, 0x42),
    (0xD5, 0x5E, 0x00), (0x00, 0x72, 0xB2), (0xA0, 0xA0, 0xA0), (0x8C, 0x56, 0x4B), (0x94, 0x67, 0xBD),
)  # fmt: skip


def class_colours(number: int) -> Pixels:
    """A colour for each of `number` classes, (number, 3); after ten they repeat."""
    return np.array([_CLASSES[index % len(_CLASSES)] for index in range(number)], np.uint8)


def packed(pixels: Pixels) -> Styles:
    """Colours (..., 3) as numbers (...)."""
    wide = pixels.astype(np.int64)
    found: Styles = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2] | THERE
    return found


def style_of(foreground: Styles | int, background: Styles | int) -> Styles:
    """The style of characters in one colour on another, both packed; 0 leaves the terminal's own."""
    found: Styles = np.asarray(COLOURED | np.asarray(foreground, np.int64) << FOREGROUND | background, np.int64)
    return found


def blend(colours: Pixels, onto: Pixels | RGB, share: npt.NDArray[np.float64] | float) -> Pixels:
    """`share` (0 to 1) of `colours` (..., 3), the rest of `onto`."""
    weight = np.asarray(share, np.float64)[..., None]
    mixed = colours * weight + np.asarray(onto, np.float64) * (1 - weight)
    return np.rint(mixed).astype(np.uint8)


def diverging(values: npt.NDArray[np.floating], limit: float, background: RGB, shades: int = 8) -> Pixels:
    """Blue below 0, orange above it, `background` at 0; full colour at ±`limit`. What is not finite is as 0."""
    shares = np.nan_to_num(values / limit if limit > 0 else values * 0.0, posinf=1.0, neginf=-1.0).clip(-1, 1)
    shares = np.rint(shares * shades) / shades
    colours = np.where(shares[..., None] < 0, np.array(_CLASSES[0], np.uint8), np.array(_CLASSES[1], np.uint8))
    return blend(colours, background, np.abs(shares))
