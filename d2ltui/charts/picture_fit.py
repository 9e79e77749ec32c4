"""A prediction along one input, with the samples, and the residuals below it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from d2ltui.charts.canvas import Look, lines_for, wrapped
from d2ltui.charts.draw import draw
from d2ltui.charts.spec import ChartSpec, Drawing, Line, Style
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.numbers import number
from d2ltui.spec.pictures import Fit

RESIDUALS_FROM = 14  # rows from which on there is room for both


def fit(picture: Fit, width: int, height: int, look: Look) -> Drawing:
    """The samples, the line that is fitted, the true one where it is known; below them the residuals."""
    spread = float(np.std(picture.residuals)) if len(picture.residuals) else 0.0
    others = (
        ngettext("; other input at the mean", "; other inputs at the mean", picture.others) if picture.others else ""
    )
    said = _("residuals: sd {spread}{others}").format(spread=number(spread), others=others)
    below = wrapped([(int(Style.AXIS), said)], width, look.ascii, lines_for(height))
    return [*(line for spec in charts(picture, width, height - len(below), look.ascii) for line in draw(spec)), *below]


def charts(picture: Fit, width: int, height: int, ascii: bool) -> list[ChartSpec]:
    """One chart, or two where there is room, together `height` rows high."""
    below = height // 3 if height >= RESIDUALS_FROM else 0
    lines = [Line("data", Style.DATA, *_xy(picture.x, picture.y), joined=False)]
    if picture.truth is not None:
        lines.append(Line("true", Style.FIT, *_xy(picture.line_x, picture.truth), dashed=True))
    lines.append(Line("fitted", Style.TRAIN, *_xy(picture.line_x, picture.line_y)))
    low, high = float(picture.line_x[0]), float(picture.line_x[-1])
    found = [_spec(lines, width, height - below, (low, high), picture.axis, ascii)]
    if below:
        # Without a line at 0, which would have the row of the small ones for itself.
        residuals = [Line("residuals", Style.DATA, *_xy(picture.x, picture.residuals), joined=False)]
        found.append(_spec(residuals, width, below, (low, high), picture.axis, ascii))
    return found


def _spec(lines: list[Line], width: int, height: int, x: tuple[float, float], axis: str, ascii: bool) -> ChartSpec:
    return ChartSpec(
        width,
        height,
        lines,
        x_low=x[0],
        x_high=x[1],
        x_label=axis,
        ascii=ascii,
        integer_x=False,
        empty_text=_("no number"),
    )


def _xy(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> tuple[list[float], list[float]]:
    return x.tolist(), y.tolist()
