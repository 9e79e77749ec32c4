"""Pictures of numbers take the room that there is, and stay as they are where there is none."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from d2ltui.charts.canvas import Look
from d2ltui.charts.picture import draw_picture
from d2ltui.charts.spec import Drawing, Style, colours_of
from d2ltui.spec.pictures import Confusion, Picture, SoftmaxSteps

ZOOMED = [(116, 34), (196, 54)]  # a pane that fills a terminal of 120×40, and of 200×60


def counts(classes: int) -> Confusion:
    numbers = np.random.default_rng(1).integers(1, 5, (classes, classes)) + 30 * np.eye(classes, dtype=np.int64)
    return Confusion(numbers, tuple(map(str, range(classes))), "360 validation samples")


def steps(classes: int) -> SoftmaxSteps:
    logits = np.linspace(-2, 3, classes, dtype=np.float32)
    shifted, naive_exp = logits - logits.max(), np.exp(logits)
    exp = np.exp(shifted)
    share = exp / exp.sum()
    names = tuple(map(str, range(classes)))
    return SoftmaxSteps(logits, naive_exp, share, shifted, exp, share, names, 1, 0, 360)


def drawn(picture: Picture, size: tuple[int, int], look: Look | None = None) -> tuple[Drawing, list[str]]:
    drawing = draw_picture(picture, *size, look or Look(colours=False))
    return drawing, ["".join(text for _, text in line) for line in drawing]


@pytest.mark.parametrize("size", ZOOMED)
@pytest.mark.parametrize("classes", [4, 10])
def test_a_confusion_matrix_fills_its_pane_and_tells_the_shares(size: tuple[int, int], classes: int) -> None:
    picture = counts(classes)
    drawing, lines = drawn(picture, size)
    rows = [line for line in lines if line[:1].isdigit() and "%" not in line]
    assert [line.split()[1:] for line in rows] == [list(map(str, row)) for row in picture.counts.tolist()]
    places = [lines.index(line) for line in rows]
    assert len({b - a for a, b in itertools.pairwise(places)}) == 1, "every row is as high as the others"
    assert (places[-1] - places[0]) * classes / (classes - 1) > 0.75 * size[1]
    assert max(len(line.rstrip()) for line in rows) > 0.75 * min(size[0], 48 * classes)
    below = lines[places[0] + 1].replace(" %", "%").split()
    first = picture.counts[0] / picture.counts[0].sum()
    assert [float(text.rstrip("%")) for text in below] == pytest.approx(100 * first, rel=5e-3)

    drawing, lines = drawn(picture, size, Look(colours=True))
    coloured = sum(len(text) for line in drawing for style, text in line if colours_of(style)[1] is not None)
    assert coloured > 0.55 * min(size[0], 48 * classes) * size[1], "and all of a cell has its colour"


@pytest.mark.parametrize("size", ZOOMED)
@pytest.mark.parametrize("classes", [4, 10])
def test_the_bars_of_softmax_are_as_high_as_there_is_room_for(size: tuple[int, int], classes: int) -> None:
    picture = steps(classes)
    drawing, lines = drawn(picture, size)
    bars = [sum(len(text) for style, text in line if style == Style.TRAIN and "█" in text) for line in drawing]
    room = size[1] - 2
    high = min(12, room // classes)
    assert sum(length > 1 for length in bars) >= high - 1 > 1
    longest = max(bars)
    assert bars.count(longest) == high - 1, "the likeliest class's, with a line between it and the next one's"
    numbers = [line.split() for line in lines[:-1] if line[2:3].isdigit()]
    assert len(numbers) == classes, "each number is told once"
    assert lines.index(next(line for line in lines if line.startswith("  9" if classes == 10 else "  3"))) > 0.5 * room


@pytest.mark.parametrize("size", [(8, 3), (12, 5), (20, 8), (39, 12), (60, 21), (78, 19), (116, 34), (196, 54)])
@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("colours", [False, True])
def test_they_fit_wherever_they_are(size: tuple[int, int], classes: int, colours: bool) -> None:
    for picture in (counts(classes), steps(classes)):
        lines = drawn(picture, size, Look(colours=colours))[1]
        assert len(lines) == size[1]
        assert all(len(line) <= size[0] for line in lines)


@pytest.mark.parametrize(("width", "heads"), [(76, 6), (62, 6), (46, 4), (36, 3)])
def test_naive_softmax_is_beside_the_stable_one_wherever_there_is_room(width: int, heads: int) -> None:
    """A pane that fills a terminal of 80 columns has the whole table: columns come before longer bars."""
    _, lines = drawn(steps(10), (width, 14))
    found = [head for head in ("logit o", "exp(o)", "naive", "o - max", "exp ", "stable") if head in lines[0]]
    assert len(found) == heads
    assert {"naive", "stable"} <= set(found)
    told = " ".join(line.strip() for line in lines[-2:])
    assert ("exp(o) overflows" in told) is ("exp(o)" in found)


def test_what_a_confusion_tells_is_told_where_there_is_little_room() -> None:
    _, lines = drawn(counts(10), (38, 14))
    assert "rows: true, columns: predicted" in " ".join(line.strip() for line in lines[-3:])
    _, lines = drawn(counts(10), (38, 12))
    assert lines[-1].startswith("rows: true, columns: predicted"), "in a single line, too"
