"""Samples in the batches in which they come: a row for each epoch, a number and a colour for each sample."""

from __future__ import annotations

from d2ltui.charts.canvas import Look
from d2ltui.charts.diagram_curves import COLOURS, colour_of
from d2ltui.charts.grid import one_cell_each, whole
from d2ltui.charts.spec import Drawing, Run, Style
from d2ltui.spec.diagrams import Batches


def body(diagram: Batches, width: int, height: int, look: Look) -> Drawing:
    """The rows, as far apart as there is room; of a row that is too long, the beginning."""
    names = [one_cell_each(name, look.ascii) for name in diagram.names]
    wide = max(map(len, names), default=0)
    digits = max((len(str(sample)) for epoch in diagram.epochs for batch in epoch for sample in batch), default=1)
    room = width - wide - 2
    number = max((len(epoch) for epoch in diagram.epochs), default=0)
    in_batch = max((len(batch) for epoch in diagram.epochs for batch in epoch), default=0)
    batch_width = in_batch * (digits + 1) + 1
    # As far apart as there is room: what is read one by one wants air.
    gap = max(1, min(3, (room - number * batch_width) // max(1, number - 1))) if number > 1 else 1
    apart = max(1, min(4, height // max(1, len(names))))
    lines: Drawing = []
    for name, epoch in zip(names, diagram.epochs, strict=True):
        line: list[Run] = [(int(Style.TEXT), whole(name.ljust(wide)) + "  ")]
        free = room
        for index, batch in enumerate(epoch):
            space = " " * gap if index else ""
            taken = len(space) + len(batch) * (digits + 1) + 1
            if taken > free:
                break
            free -= taken
            line.append((int(Style.AXIS), f"{space}["))
            for place, sample in enumerate(batch):
                between = " " if place else ""
                line.append((colour_of(sample % COLOURS, look), f"{between}{sample:>{digits}}"))
            line.append((int(Style.AXIS), "]"))
        lines += [*([[]] * ((apart - 1) // 2)), line, *([[]] * (apart // 2))]
    return [*lines, *([[]] * height)][:height]
