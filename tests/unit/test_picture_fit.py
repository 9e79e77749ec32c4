"""A fitted line and the true one among the samples."""

from __future__ import annotations

import numpy as np

from d2ltui.charts.canvas import Look
from d2ltui.charts.picture import draw_picture
from d2ltui.charts.spec import Style
from d2ltui.spec import pictures


def cells_of(fit: pictures.Fit, width: int, height: int, look: Look) -> dict[int, int]:
    """How many cells have each style, below the legend."""
    found: dict[int, int] = {}
    for line in draw_picture(fit, width, height, look)[1:]:
        for style, text in line:
            found[style] = found.get(style, 0) + len(text)
    return found


def sine(samples: int, noise: float) -> pictures.Fit:
    line = np.linspace(-3, 3, 200, dtype=np.float32)
    x = np.linspace(-3, 3, samples, dtype=np.float32)
    off = np.random.default_rng(0).normal(0, noise, samples).astype(np.float32)
    return pictures.Fit(line, np.full(200, -2, np.float32), np.sin(2 * line), x, np.sin(2 * x) + off, off, "x1", 0)


def test_the_true_line_is_seen_among_the_samples() -> None:
    for width, height in ((76, 12), (76, 18), (194, 50)):
        found = cells_of(sine(480, 0.1), width, height, Look())
        assert found[Style.FIT] > 0.6 * width, (width, height)
        assert found[Style.DATA] > width, (width, height)


def test_a_few_samples_are_seen_on_the_true_line() -> None:
    for look in (Look(), Look(ascii=True)):
        for samples, least in ((12, 12), (40, 25)):
            assert cells_of(sine(samples, 0.0), 76, 12, look)[Style.DATA] >= least, (look, samples)


def test_the_lines_are_told_apart_without_colours_too() -> None:
    legend = "".join(text for _, text in draw_picture(sine(40, 0.0), 76, 12, Look(ascii=True, colours=False))[0])
    assert legend.split() == ["x", "data", "===", "true", "***", "fitted"]
