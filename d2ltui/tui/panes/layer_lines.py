"""From a look at the layers to lines of text. No widgets here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from d2ltui.charts.sparkline import columns
from d2ltui.charts.spec import Style
from d2ltui.spec.events import LayersProbed, LayerStats
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, percent
from d2ltui.spec.width import cells, cut, padded, right

TextLine = list[tuple[int, str]]
Values: TypeAlias = Literal["outputs", "weights", "gradients"]
VALUES: tuple[Values, ...] = ("outputs", "weights", "gradients")
MAX_HISTOGRAM_ROWS = 8
BESIDE = 72  # columns from which on a layer's weights stand beside its outputs
BELOW = 3  # rows of each histogram from which on they stand below them, where there are fewer columns
BETWEEN = 3


def layer_lines(
    layers: Sequence[LayerStats],
    width: int,
    height: int,
    ascii: bool,
    values: Values = "outputs",
    truth: Sequence[float] = (),
) -> list[TextLine]:
    """For each layer its name and its histogram, as high as there is room for, and figures of what is binned.

    Of `outputs` their shares and moments, and beside or below them, where there is room, the weights; of `weights`, and
    of the loss's `gradients` by them, the norm. The few parameters of a small layer are told one by one, and below them
    the `truth`, where it is known: those that have made the labels.
    """
    if values != "outputs":
        having = [layer for layer in layers if weighted(layer, values) is not None]
        rows = _rows(len(having), height, _below(having, truth) if values == "weights" else 0)
        return [line for layer in having for line in _of_weights(layer, values, width, rows, ascii, truth)]
    having = [layer for layer in layers if layer.weight_counts]
    stacked = _rows(len(layers) + len(having), height, _below(having, truth))
    if not having or (width < BESIDE and stacked < BELOW):
        return _of_outputs(layers, width, _rows(len(layers), height, 0), ascii)
    if width < BESIDE:
        below = {layer.index: _of_weights(layer, "weights", width, stacked, ascii, truth) for layer in having}
        by_layer = ([*_of_outputs([layer], width, stacked, ascii), *below.get(layer.index, [])] for layer in layers)
        return [line for lines in by_layer for line in lines]
    rows = _rows(len(layers), height, _below(having, truth))
    half = (width - BETWEEN) // 2
    lines: list[TextLine] = []
    for layer in layers:
        left = _of_outputs([layer], half, rows, ascii)
        right = _of_weights(layer, "weights", half, rows, ascii, truth)
        while len(left) < len(right):
            left.append([])
        for index, line in enumerate(left):
            beside = right[index] if index < len(right) else []
            used = sum(cells(text) for __, text in line)
            gap = [(int(Style.AXIS), " " * (half - used + BETWEEN))] if beside else []
            lines.append([*line, *gap, *beside])
    return lines


def weighted(layer: LayerStats, values: Values) -> LayerStats | None:
    """`layer` with the histogram of its weights, or of the gradient, in place of its outputs'; None without one."""
    if values == "outputs":
        return layer
    gradients = values == "gradients"
    counts = layer.gradient_counts if gradients else layer.weight_counts
    if not counts:
        return None
    low, high = (
        (layer.gradient_minimum, layer.gradient_maximum) if gradients else (layer.weight_minimum, layer.weight_maximum)
    )
    nonfinite = 0  # those of the outputs are not theirs
    return msgspec.structs.replace(layer, counts=counts, minimum=low, maximum=high, nonfinite=nonfinite)


def probed_values(probed: LayersProbed, values: Values) -> LayersProbed:
    """The layers that have `values`, each with their histogram."""
    if values == "outputs":
        return probed
    layers = (weighted(layer, values) for layer in probed.layers)
    return msgspec.structs.replace(probed, layers=tuple(layer for layer in layers if layer is not None))


def _rows(histograms: int, height: int, below: int) -> int:
    """Of each histogram: as many as there is room for, with a line above it, one below it and `below` more."""
    return min(MAX_HISTOGRAM_ROWS, max(1, height // max(1, histograms) - 2 - below))


def _below(layers: Sequence[LayerStats], truth: Sequence[float]) -> int:
    """How many lines a layer's parameters take, at most."""
    return max((len(_listed(layer, truth)) for layer in layers), default=0)


def _of_weights(
    layer: LayerStats, values: Values, width: int, rows: int, ascii: bool, truth: Sequence[float]
) -> list[TextLine]:
    """Of one layer; none where it has no weights."""
    binned = weighted(layer, values)
    if binned is None:
        return []
    norm = layer.gradient_norm if values == "gradients" else layer.weight_norm
    what, short = (
        (_("gradient of its weights"), _("gradient")) if values == "gradients" else (_("weights"), _("weights"))
    )
    norms = _("norm {norm}").format(norm=number(norm)) if norm is not None else ""
    titles = (f"{layer.index} {layer.title}: {what}", f"{layer.index} {what}", f"{layer.index} {short}")
    title = next((title for title in titles if cells(title) + 1 + cells(norms) <= width), titles[-1])
    lines: list[TextLine] = [[(Style.TEXT, cut(padded(title, width - cells(norms)), width)), (Style.AXIS, norms)]]
    lines += _histogram(binned, width, rows, ascii, "", "")
    if values == "weights":
        listed = _listed(layer, truth)
        if all(cells(line) <= width for line in listed):
            lines += [[(Style.TEXT if index == 0 else Style.AXIS, line)] for index, line in enumerate(listed)]
    return lines


def _listed(layer: LayerStats, truth: Sequence[float]) -> list[str]:
    """The few parameters of a layer one by one, and, where it is known, what they should be."""
    if not layer.parameters:
        return []
    told: list[tuple[str, Sequence[float]]] = [(_("learned"), layer.parameters)]
    if len(truth) == len(layer.parameters):
        told.append((_("true"), truth))
    biases = min(layer.num_units, len(layer.parameters) - 1)
    lines = []
    for what, parameters in told:
        figures = [f"{number(value):>7}" for value in parameters]
        weights, bias = figures[: len(figures) - biases], figures[len(figures) - biases :]
        lines.append(f"{right(what, 7)} w{' '.join(weights)}  b{' '.join(bias)}")
    return lines


def _of_outputs(layers: Sequence[LayerStats], width: int, rows: int, ascii: bool) -> list[TextLine]:
    lines: list[TextLine] = []
    for layer in layers:
        alarming = bool((layer.dead or 0) > 0.5 or (layer.saturated or 0) > 0.5 or layer.nonfinite)
        title = f"{layer.index} {layer.title}"
        share = _shares(layer, width - len(title) - 1)
        gap = " " * max(1, width - len(title) - cells(share))
        lines.append([(Style.TEXT, title + gap), (Style.WARNING if alarming else Style.AXIS, share)])
        figures = [number(x, width=7) for x in (layer.minimum, layer.maximum, layer.mean, layer.sd)]
        if layer.nonfinite and not sum(layer.counts):
            figures = ["–"] * 4  # of nothing
        lines += _histogram(layer, width, rows, ascii, figures[0], figures[1])
        of = " " + _("of the rest") if layer.nonfinite and sum(layer.counts) else ""
        lines.append([(Style.AXIS, f"{right(_('mean'), 7)} {figures[2]}  {_('sd')} {figures[3]}{of}")])
    return lines


def _histogram(layer: LayerStats, width: int, rows: int, ascii: bool, low: str, high: str) -> list[TextLine]:
    """Its bars, between its smallest and its largest value, which are told as they are where no text is given."""
    low = f"{low or number(layer.minimum, width=7):>7} "
    high = f" {high or number(layer.maximum, width=7):<7}"
    across = max(1, width - len(low) - len(high))
    *upper, bottom = columns(_bins(layer, across), across, rows, ascii)
    lines: list[TextLine] = [[(Style.AXIS, " " * len(low)), (Style.TRAIN, bars)] for bars in upper]
    return [*lines, [(Style.AXIS, low), (Style.TRAIN, bottom), (Style.AXIS, high)]]


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
        return _("not finite: {nonfinite}").format(nonfinite=layer.nonfinite)
    parts = [_("zero {zeros}").format(zeros=percent(layer.zeros))]
    if layer.dead is not None:
        parts.append(_("dead {dead}").format(dead=percent(layer.dead)))
    if layer.saturated is not None:
        parts.append(_("saturated {saturated}").format(saturated=percent(layer.saturated)))
    told = "  ".join(parts)
    short = [part.replace(" %", "%") for part in parts]
    last = short[-1].replace(_("saturated"), _("sat."))
    return next((text for text in (told, " ".join(short), short[-1], last) if cells(text) <= width), last)


def gradient_lines(layers: Sequence[LayerStats], width: int, height: int, ascii: bool) -> list[TextLine]:
    """A bar for the norm of each layer's gradient, on a logarithmic axis from the smallest decade to the largest."""
    having = [(layer, layer.gradient_norm) for layer in layers if layer.gradient_norm is not None]
    positive = [norm for __, norm in having if norm > 0 and math.isfinite(norm)]
    if not having:
        return []
    low = math.floor(min((math.log10(norm) for norm in positive), default=0.0)) - 1
    high = max(low + 1, math.ceil(max((math.log10(norm) for norm in positive), default=1.0)))
    label_width = max(len(f"{layer.index} {layer.title}") for layer, __ in having)
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
    scale = _("‖gradient‖, log axis from 1e{low} to 1e{high}").format(low=low, high=high)
    if len(scale) > width:
        scale = _("log axis 1e{low} to 1e{high}").format(low=low, high=high)
    lines.append([(Style.AXIS, scale[:width])])
    return lines
