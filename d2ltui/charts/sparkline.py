"""Histograms in one row of characters, or a few."""

from __future__ import annotations

import functools
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
    return [sum([sizes[index] * share for index, share in parts]) for parts in _shares(bins, width)]


@functools.lru_cache(16)
def _shares(bins: int, width: int) -> list[list[tuple[int, float]]]:
    """For each new bin, which old ones it covers, and which part of each."""
    found = []
    for column in range(width):
        # In units of which a bin has `width` and a column `bins`: whole numbers, so an empty bin adds exactly 0.
        start, end = column * bins, (column + 1) * bins
        covered = range(start // width, -(-end // width))
        found.append([(i, (min(end, (i + 1) * width) - max(start, i * width)) / width) for i in covered])
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
    # Of a ramp that goes on at both ends, a row is a part: below its foot nothing, above its top a full block.
    endless = ramp[0] * (rows * steps) + ramp + ramp[-1] * (rows * steps)
    return ["".join([endless[level + foot] for level in filled]) for foot in range(steps, rows * steps + 1, steps)]
