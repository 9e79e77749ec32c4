"""Pictures of numbers: a confusion matrix, and softmax step by step."""

from __future__ import annotations

import math

import numpy as np

from d2ltui.charts.canvas import Canvas, Look, caption, under
from d2ltui.charts.colours import blend, class_colours, packed, style_of
from d2ltui.charts.grid import one_cell_each, shortened
from d2ltui.charts.spec import Drawing, Run, Style
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, percent
from d2ltui.spec.pictures import Confusion, SoftmaxSteps

LARGEST = 88.72  # whose exponential is a finite number in single precision
MAX_NAME, MAX_HEADING = 10, 7
TALLEST = 12  # lines of a row of a table, where there is room
SHARE = 9  # cells of a column in which a share of a row has room
WIDEST, ACROSS = 12, 4  # cells of a column of low rows; and of one of tall rows, for each of their lines
# Of softmax's six columns, those that count: as many as have room, the cells of each, and those of a bar, at least.
_COLUMNS: tuple[tuple[tuple[int, ...], int, int], ...] = (
    ((0, 1, 2, 3, 4, 5), 9, 5),
    ((0, 1, 2, 3, 4, 5), 8, 4),
    ((0, 1, 2, 5), 8, 4),
    ((0, 2, 5), 9, 5),
    ((0, 5), 9, 5),
    ((0, 5), 8, 0),
    ((5,), 7, 0),
)
NAIVE_EXP = 1  # the column of the naive exponentials


def confusion(picture: Confusion, width: int, height: int, look: Look) -> Drawing:
    """A row for each true class, a column for each predicted one; the darker, the greater the share of the row."""
    names = [one_cell_each(name, look.ascii) for name in picture.names]
    counts, number = picture.counts, len(picture.names)
    name_width = min(MAX_NAME, max(map(len, names)))
    digits = len(str(int(counts.max(initial=0))))
    # Whole names above the columns; numbers; these without a gap, or the tenth of the row; in one cell at least.
    longest = min(MAX_HEADING, max(map(len, names)))
    cells = [max(digits, longest) + 1, digits + 1, max(2, digits), 2, 1]
    cell = next((cell for cell in cells if name_width + 1 + number * cell <= width), 1)
    canvas = Canvas(width, height - 1)
    room = canvas.rows - 1
    high = _lines_of_a_row(number, room)
    if cell > digits:  # numbers, which have a gap: they take what room there is
        cell = max(cell, min((width - name_width - 1) // number, max(WIDEST, ACROSS * high)))
    wide = cell > digits or (cell == digits and look.colours)  # colours alone part numbers that have no gap
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    as_placed = str.center if cell > cells[0] else str.rjust  # in the middle of a cell that is wider than it needs
    most = max(1, min(cell - 1, MAX_NAME if cell > MAX_NAME else MAX_HEADING))
    for column, name in enumerate(names):
        head = as_placed(name[:most].rjust(min(digits, cell)), cell)
        canvas.write(name_width + 1 + column * cell, 0, head, Style.AXIS)
    right, wrong = class_colours(2)
    for row in range(min(number, room)):
        name = shortened(names[row], name_width, look.ascii)
        top, middle = row * high + 1, row * high + 1 + (high - 1) // 2
        canvas.write(0, middle, name.rjust(name_width), Style.AXIS)
        for column in range(number):
            count, share = int(counts[row, column]), float(shares[row, column])
            text = str(count) if wide else _level(share)
            texts = [(text if count else "." if look.ascii else "·").rjust(digits if wide else 1)]
            if high > 1 and count and cell >= SHARE:  # the share of the row below the number
                texts.append(percent(share))
            style = int(Style.AXIS if not count else Style.TEXT if row == column else Style.WARNING)
            if look.colours and count:
                # An error is rare, and to be seen: its colour begins where it can be.
                strength = 0.15 + 0.55 * (share if row == column else math.sqrt(share))
                back = blend(right if row == column else wrong, look.background, strength)
                style = int(style_of(int(packed(np.array(look.foreground, np.uint8))), packed(back)))
            if high > 1 and look.colours and count:
                for line in range(top, top + high):
                    canvas.write(name_width + 1 + column * cell, line, " " * cell, style)
            for line, text in enumerate(texts, middle):
                canvas.write(name_width + 1 + column * cell, line, as_placed(text, cell), style)
    correct, total = int(np.trace(counts)), int(counts.sum())
    # What the numbers are comes first: it is all that a narrow pane has room for.
    said = _("rows: true, columns: predicted") + ("" if wide else _("; tenths of the row"))
    right_ones = percent(correct / max(1, total))
    said += _("; {share} of {note} right").format(share=right_ones, note=_(picture.note))
    if number > room:
        said = _("{rows} more rows below; {said}").format(rows=number - room, said=said)
    return under(canvas.drawing(), [(int(Style.AXIS), said)], width, look.ascii, height)


def _lines_of_a_row(rows: int, room: int) -> int:
    """How many of `room` lines each row of a table takes."""
    return max(1, min(TALLEST, room // max(1, rows)))


def _level(share: float) -> str:
    """A share in tenths, as a digit; `+` for less than one."""
    return str(min(9, int(share * 10))) if share >= 0.1 else "+"


def softmax(picture: SoftmaxSteps, width: int, height: int, look: Look) -> Drawing:
    """A row for each class: logit, exponential and probability, naive, and with the largest logit taken away."""
    name_width = min(MAX_NAME, max(len(name) for name in picture.names))
    heads = ["logit o", "exp(o)", "naive", "o - max", "exp", "stable"]
    columns = [picture.logits, picture.naive_exp, picture.naive, picture.shifted, picture.exp, picture.probabilities]
    chosen, across = next(
        ((some, wide) for some, wide, bar in _COLUMNS if name_width + 2 + len(some) * wide + bar <= width),
        _COLUMNS[-1][:2],
    )
    heads, columns = [heads[index] for index in chosen], [columns[index] for index in chosen]
    name_width = max(1, min(name_width, width - 2 - across * len(heads)))
    bar = max(0, width - name_width - 2 - across * len(heads) - 1)
    lines: Drawing = [[(int(Style.AXIS), " " * (name_width + 2) + "".join(head.rjust(across) for head in heads))]]
    room = height - 2
    order = np.arange(len(picture.names))
    if len(order) > room:
        order = np.argsort(-picture.logits)[:room]
    high = _lines_of_a_row(len(order), room)
    thick = max(1, high - 1)  # a bar; and a line between two of them
    for index in order.tolist():
        name = shortened(picture.names[index], name_width, look.ascii)
        mark = ("*" if look.ascii else "●") if index == picture.label else " "
        line: list[Run] = [(int(Style.TEXT), f"{mark} {name.ljust(name_width)}")]
        for values in columns:
            value = float(values[index])
            broken = not math.isfinite(value)
            line.append((int(Style.WARNING if broken else Style.AXIS), f"{number(value, width=across - 1):>{across}}"))
        share = float(picture.probabilities[index])
        filled = round(share * bar) if math.isfinite(share) else 0
        drawn = (int(Style.TRAIN), " " + ("#" if look.ascii else "█") * filled)
        blank = (int(Style.AXIS), " " * (name_width + 2 + across * len(heads)))
        rows: Drawing = [[blank, drawn] for _row in range(thick)] + [[blank]] * (high - thick)
        rows[(thick - 1) // 2] = [*line, drawn]
        lines += rows
    lines += [[(int(Style.AXIS), "")]] * (height - 1 - len(lines))
    overflow = _("overflow: inf / inf") if not np.isfinite(picture.naive).all() else ""
    told = overflow
    if not told and NAIVE_EXP in chosen:
        told = _("exp(o) overflows beyond {largest}").format(largest=number(LARGEST))
    sample = _("sample {sample:,} of {total:,}; ").format(sample=picture.sample + 1, total=picture.total)
    parts = [
        (int(Style.TEXT), f"{'*' if look.ascii else '●'} {picture.names[picture.label]}  "),
        (int(Style.AXIS), sample if told else sample.rstrip("; ；")),
        (int(Style.WARNING if overflow else Style.AXIS), told),
    ]
    shown = [caption(line, width, look.ascii) for line in lines[: height - 1]]
    return under(shown, parts, width, look.ascii, height)
