"""Marks lie on their curves, and what lies under another is seen to be there."""

from __future__ import annotations

import itertools
import random

import msgspec
import pytest

from d2ltui.charts.dots import BRAILLE, DOT_BITS
from d2ltui.charts.draw import draw
from d2ltui.charts.spec import ChartSpec, Line, Style

LEFT = 7  # the first column of the curves


def cells(spec: ChartSpec) -> list[tuple[int, int, str, int]]:
    """Column, row from below, character and style of each cell of the plot area that is not blank."""
    rows = []
    for runs in draw(spec):
        rows.append([(character, style) for style, text in runs for character in text])
    bottom = next(index for index, row in enumerate(rows) if "└" in "".join(character for character, _ in row))
    return [
        (column - LEFT, bottom - 1 - index, character, style)
        for index, row in enumerate(rows[:bottom])
        for column, (character, style) in enumerate(row)
        if column >= LEFT and character != " "
    ]


def test_a_mark_that_stands_alone_is_seen_above_curves() -> None:
    x = [float(i) for i in range(61)]
    curve = Line("", Style.VALIDATION, x, [(i - 20) ** 2 / 400 for i in x], marker="v")
    for where in range(61):
        point = Line("", Style.FIT, [x[where]], [curve.y[where]], marker="X", joined=False)
        for lines in ([point, curve], [curve, point]):
            drawn = cells(ChartSpec(74, 18, lines, 0, 60, 0, 4))
            assert sum(character == "X" for _, _, character, _ in drawn) == 1


@pytest.mark.parametrize("points", [11, 61])
@pytest.mark.parametrize("end", [0.5, 0.75, 1.0, 3.0])
def test_letters_lie_on_their_line(points: int, end: float) -> None:
    """A letter's middle is where the eye reads the value: it is within a dot of the line."""
    x = [10 * i / (points - 1) for i in range(points)]
    line = Line("", Style.TRAIN, x, [end * v / 10 for v in x], marker="s")
    letters = [cell[:2] for cell in cells(ChartSpec(74, 18, [line], 0, 10, 0, max(end, 1.0))) if cell[2] == "s"]
    dots: dict[int, list[int]] = {}
    plain = msgspec.structs.replace(line, marker="")
    for column, row, character, _ in cells(ChartSpec(74, 18, [plain], 0, 10, 0, max(end, 1.0))):
        bits = ord(character) - BRAILLE
        dots.setdefault(column, []).extend(4 * row + dot for side in DOT_BITS for dot in range(4) if bits & side[dot])
    off = [abs(sum(dots[column]) / len(dots[column]) - (4 * row + 1.5)) for column, row in letters]
    assert len(letters) >= 11
    assert max(off) <= 1


@pytest.mark.parametrize("points", [61, 100, 141])
@pytest.mark.parametrize("seed", range(6))
def test_between_letters_a_column_stays_free(points: int, seed: int) -> None:
    """Of a line, too, that goes up and down across the edge of a row."""
    x = [10 * i / (points - 1) for i in range(points)]
    noise = random.Random(seed)
    line = Line("", Style.TRAIN, x, [0.3 + 0.04 * noise.random() for _ in x], marker="s")
    columns = sorted(cell[0] for cell in cells(ChartSpec(74, 18, [line], 0, 10, 0, 1)) if cell[2] == "s")
    assert len(columns) >= 10
    assert all(b - a > 1 for a, b in itertools.pairwise(columns)), columns


def test_curves_that_run_close_together_are_both_seen_to_the_end() -> None:
    """As in one row, though on other dots of it; and where they end in one cell, both letters stand there."""
    x = [0.0, 20.0, 40.0, 60.0]
    upper = Line("", Style.TRAIN, x, [0.99, 0.99, 0.99, 0.99], marker="t")
    lower = Line("", Style.VALIDATION, x, [0.2, 0.8, 0.98, 0.98], marker="n")
    for lines in ([upper, lower], [lower, upper]):
        drawn = [cell for cell in cells(ChartSpec(74, 18, lines, 0, 60, 0, 1)) if cell[0] > 45]
        styles = [style for _, _, character, style in drawn if not character.isalpha()]
        assert min(styles.count(style) for style in (Style.TRAIN, Style.VALIDATION)) >= 5
        ends = sorted(character for column, _, character, _ in drawn if column >= 64 and character.isalpha())
        assert ends == ["n", "t"]


def test_curves_that_cross_are_each_whole() -> None:
    x = [0.0, 60.0]
    rising, falling = (
        Line("", Style.TRAIN, x, [0.0, 1.0]),
        Line("", Style.VALIDATION, x, [1.0, 0.0]),
    )
    both = cells(ChartSpec(74, 18, [rising, falling], 0, 60, 0, 1))
    alone = cells(ChartSpec(74, 18, [rising], 0, 60, 0, 1))
    assert len([cell for cell in alone if cell not in both]) <= 1
