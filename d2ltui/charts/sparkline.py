"""Histograms in one row of characters, or a few."""

from __future__ import annotations

import math
from collections.abc import Sequence

_BLOCKS = " ▁▂▃▄▅▆▇█"
_PLAIN = " .:-=+*#"


def rebin(counts: Sequence[float], width: int) -> list[float]:
    """`counts` of equal bins as `width` equal bins over the same range, with the same sum.

    Where a bin reaches over two new ones, it is divided by its shares in them. Values that are not finite or not
    positive count as 0.
    """
    sizes = [float(count) if math.isfinite(count) and count > 0 else 0.0 for count in counts]
    bins = len(sizes)
    if bins == 0 or width <= 0:
        return [0.0] * max(0, width)
    found = []
    for column in range(width):
        # In units of which a bin has `width` and a column `bins`: whole numbers, so an empty bin adds exactly 0.
        start, end = column * bins, (column + 1) * bins
        total = 0.0
        for index in range(start // width, -(-end // width)):
            share = min(end, (index + 1) * width) - max(start, index * width)
            total += sizes[index] * (share / width)
        found.append(total)
    return found


def sparkline(counts: Sequence[float], width: int, ascii: bool = False, root: bool = False) -> str:
    """A histogram of `width` characters, the highest bin full: an empty bin is a space, any other at least a line.

    `root` draws square roots of the counts, so that small bins beside large ones can be told apart. With `ascii` a
    character's darkness stands for the height.
    """
    heights = rebin(counts, width)
    if root:
        heights = [math.sqrt(height) for height in heights]
    ramp = _PLAIN if ascii else _BLOCKS
    highest = max(heights, default=0.0)
    if highest <= 0:
        return " " * len(heights)
    top = len(ramp) - 1
    return "".join(ramp[min(top, max(1, round(height / highest * top)))] if height > 0 else " " for height in heights)


def columns(counts: Sequence[float], width: int, rows: int, ascii: bool = False) -> list[str]:
    """A histogram of `width` × `rows` characters, the highest bin full; the first string is the top row.

    With one row it is `sparkline`. As there, any bin that is not empty is at least a line.
    """
    if rows <= 1:
        return [sparkline(counts, width, ascii)]
    heights = rebin(counts, width)
    highest = max(heights, default=0.0)
    ramp = " .#" if ascii else _BLOCKS
    steps = len(ramp) - 1
    filled = [max(1, round(height / highest * rows * steps)) if height > 0 else 0 for height in heights]
    return ["".join(ramp[min(steps, max(0, level - row * steps))] for level in filled) for row in reversed(range(rows))]
