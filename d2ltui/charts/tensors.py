"""The tensors of a line of a training step in characters: a table of all, and notes of the results."""

from __future__ import annotations

from collections.abc import Sequence

from d2ltui.charts.spec import Drawing, Style
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number
from d2ltui.spec.step_seen import Moment, TensorSeen
from d2ltui.spec.width import cells, cut, padded, right

FIGURE = 10  # columns of a number, with the space before it
IN_NOTE = 4  # values
_HEADS = (_("mean"), _("min"), _("max"))
_ROOMY = 60  # columns from which on there is room for those


def shape_of(tensor: TensorSeen) -> str:
    """`256×784`; "" of a number."""
    return "×".join(map(str, tensor.shape))


def notes(moments: Sequence[Moment]) -> dict[str, str]:
    """What has come of every line, by its key: a tensor, its shape and the first values that `table` has of it.

    The latest one counts.
    """
    found = {}
    for moment in moments:
        # Of a layer's way back, the weight's gradient; of everything else, the result.
        told = moment.tensors[min(1, len(moment.tensors) - 1) if moment.phase == "backward" else -1]
        found[moment.line] = " ".join(filter(None, (told.name, shape_of(told), *map(_figure, told.values[:IN_NOTE]))))
        if told.name == "y_hat" and moment.phase == "forward":
            found["output"] = found[moment.line]
    return found


def table(tensors: Sequence[TensorSeen], width: int) -> Drawing:
    """A heading and a line for each tensor, the result last: shape, mean, smallest and largest, some values."""
    names = max(6, cells(_("tensor")), *(cells(tensor.name) for tensor in tensors)) + 1
    shapes = max(5, cells(_("shape")), *(len(shape_of(tensor)) for tensor in tensors)) + 1
    figures = _HEADS if width >= _ROOMY else ()
    room = max(0, width - names - shapes - FIGURE * len(figures))
    many = room // FIGURE
    head = padded(_("tensor"), names) + padded(_("shape"), shapes) + "".join(right(name, FIGURE) for name in figures)
    values = cut("  " + _("some values"), room) if many else ""
    lines: Drawing = [[(int(Style.AXIS), cut(head + values, width))]]
    for tensor in tensors:
        told = dict(zip(_HEADS, (tensor.mean, tensor.low, tensor.high), strict=True)) if tensor.shape else {}
        columns = "".join((_figure(told[name]) if name in told else "").rjust(FIGURE) for name in figures)
        shown = "".join(_figure(value).rjust(FIGURE) for value in tensor.values[:many])
        result = tensor is tensors[-1]
        start = padded(tensor.name, names)
        rest = shape_of(tensor).ljust(shapes) + columns
        lines.append(
            [
                (int(Style.TRAIN if result else Style.TEXT), cut(start, width)),
                (int(Style.AXIS), rest[: max(0, width - cells(start))]),
                (int(Style.TRAIN if result else Style.TEXT), shown),
            ]
        )
    return lines


def _figure(value: float) -> str:
    return number(value, 3, FIGURE - 1)
