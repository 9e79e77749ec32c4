"""A fitted line and the true one among the samples."""

from __future__ import annotations

import numpy as np

from d2ltui.charts.canvas import Look
from d2ltui.charts.picture import draw_picture
from d2ltui.charts.spec import Style
from d2ltui.spec import pictures


def test_the_true_line_is_seen_among_the_samples() -> None:
    line = np.linspace(-3, 3, 200, dtype=np.float32)
    x = np.linspace(-3, 3, 480, dtype=np.float32)
    noise = np.random.default_rng(0).normal(0, 0.1, 480).astype(np.float32)
    fit = pictures.Fit(line, np.full(200, -2, np.float32), np.sin(2 * line), x, np.sin(2 * x) + noise, noise, "x1", 0)
    for width, height in ((76, 12), (76, 18), (116, 34), (194, 50)):
        drawn = draw_picture(fit, width, height, Look())[1:]
        seen = sum(len(text) for cells in drawn for style, text in cells if style == Style.FIT)
        assert seen > 0.8 * width, (width, height)
