"""From a look at the layers to lines of text. No widgets here."""

from __future__ import annotations

import math
from collections.abc import Sequence

from d2ltui.charts.sparkline import columns
from d2ltui.charts.spec import Style
from d2ltui.spec.events import LayerStats
from d2ltui.spec.numbers import number, percent

TextLine = list[tuple[int, str]]
MAX_HISTOGRAM_ROWS = 8


def layer_lines(layers: Sequence[LayerStats], width: int, height: int, ascii: bool) -> list[TextLine]:
    """For each layer its name and fractions, its histogram, as high as there is room for, and its moments."""
    rows = min(MAX_HISTOGRAM_ROWS, max(1, height // max(1, len(layers)) - 2))
    lines: list[TextLine] = []
    for layer in layers:
        alarming = bool((layer.dead or 0) > 0.5 or (layer.saturated or 0) > 0.5 or layer.nonfinite)
        title = f"{layer.index} {layer.title}"
        share = _shares(layer, width - len(title) - 1)
        gap = " " * max(1, width - len(title) - len(share))
        lines.append([(Style.TEXT, title + gap), (Style.WARNING if alarming else Style.AXIS, share)])
        figures = [number(x, width=7) for x in (layer.minimum, layer.maximum, layer.mean, layer.sd)]
        if layer.nonfinite and not sum(layer.counts):
            figures = ["–"] * 4  # of nothing
        low, high = f"{figures[0]:>7} ", f" {figures[1]:<7}"
        across = max(1, width - len(low) - len(high))
        *upper, bottom = columns(_bins(layer, across), across, rows, ascii)
        lines.extend([(Style.AXIS, " " * len(low)), (Style.TRAIN, bars)] for bars in upper)
        lines.append([(Style.AXIS, low), (Style.TRAIN, bottom), (Style.AXIS, high)])
        of = " of the rest" if layer.nonfinite and sum(layer.counts) else ""
        lines.append([(Style.AXIS, f"{'mean':>7} {figures[2]}  sd {figures[3]}{of}")])
    return lines


def _bins(layer: LayerStats, width: int) -> Sequence[float]:
    """Its histogram; of outputs that are all one number the bin in the middle alone, which no column shares."""
    if layer.minimum == layer.maximum and any(layer.counts):
        return [float(column == width // 2) for column in range(width)]
    return layer.counts


def _shares(layer: LayerStats, width: int) -> str:
    """Which shares of the outputs are zero, dead or saturated, in `width` columns.

    A figure is never cut: the share of zeros goes first, which is the least telling, and then the words get shorter.
    """
    if layer.nonfinite:
        return f"not finite: {layer.nonfinite}"
    parts = [f"zero {percent(layer.zeros)}"]
    if layer.dead is not None:
        parts.append(f"dead {percent(layer.dead)}")
    if layer.saturated is not None:
        parts.append(f"saturated {percent(layer.saturated)}")
    told = "  ".join(parts)
    short = [part.replace(" %", "%") for part in parts]
    last = short[-1].replace("saturated", "sat.")
    return next((text for text in (told, " ".join(short), short[-1], last) if len(text) <= width), last)


def gradient_lines(layers: Sequence[LayerStats], width: int, height: int, ascii: bool) -> list[TextLine]:
    """A bar for the norm of each layer's gradient, on a logarithmic axis from the smallest decade to the largest."""
    having = [(layer, layer.gradient_norm) for layer in layers if layer.gradient_norm is not None]
    positive = [norm for _, norm in having if norm > 0 and math.isfinite(norm)]
    if not having:
        return []
    low = math.floor(min((math.log10(norm) for norm in positive), default=0.0)) - 1
    high = max(low + 1, math.ceil(max((math.log10(norm) for norm in positive), default=1.0)))
    label_width = max(len(f"{layer.index} {layer.title}") for layer, _ in having)
    space = max(1, width - label_width - 10)
    lines: list[TextLine] = []
    for layer, norm in having:
        share = (math.log10(norm) - low) / (high - low) if norm > 0 and math.isfinite(norm) else 0.0
        cells = round(share * space)
        bar = ("#" if ascii else "▇") * cells + " " * (space - cells)
        lines.append(
            [
                (Style.TEXT, f"{layer.index} {layer.title}".ljust(label_width + 1)),
                (Style.TRAIN, bar),
                (Style.AXIS, f" {number(norm, width=7):>7}"),
            ]
        )
    if not positive:
        return lines
    scale = f"‖gradient‖, log axis from 1e{low} to 1e{high}"
    if len(scale) > width:
        scale = f"log axis 1e{low} to 1e{high}"
    lines.append([(Style.AXIS, scale[:width])])
    return lines
