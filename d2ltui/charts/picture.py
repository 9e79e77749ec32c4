"""Pictures to characters: `draw_picture` gives `height` lines of at most `width` cells; the last one says what is seen.

Where there are colours, each character shows two pixels, one above the other; where there are none, letters and marks
say the same.
"""

from __future__ import annotations

import numpy as np

from d2ltui.charts import panels, picture_activation, picture_fit, picture_images, picture_planes, picture_tables
from d2ltui.charts.canvas import Look
from d2ltui.charts.spec import Drawing, Style
from d2ltui.spec import diagrams, pictures
from d2ltui.spec.language import _
from d2ltui.spec.width import cut

MIN_WIDTH, MIN_HEIGHT = 8, 3
ABOUT_A_TABLE = 3  # lines: its head, a blank one, and what it says


def area(width: int, height: int) -> tuple[int, int]:
    """The pixels of a picture that is drawn in `width` × `height` cells: columns, and rows above the last line."""
    return max(1, width), max(2, 2 * (height - 1))


def lines_of(picture: pictures.Picture | diagrams.Diagram, most: int) -> int:
    """How many lines a picture fills where there is room for `most`: a table has no more than its rows."""
    match picture:
        case pictures.Confusion() | pictures.SoftmaxSteps():
            return max(MIN_HEIGHT, min(most, len(picture.names) + ABOUT_A_TABLE))
        case _:
            return most


@np.errstate(all="ignore")  # numbers that are none, or too large, are drawn as far as that is possible, and no warning
def draw_picture(picture: pictures.Picture | diagrams.Diagram, width: int, height: int, look: Look) -> Drawing:
    """The picture as lines of runs (style, text); a style from `colours.COLOURED` on is a pair of colours."""
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return [[(int(Style.AXIS), cut(_("no room"), width))]]
    match picture:
        case (
            diagrams.Curves()
            | diagrams.Bars()
            | diagrams.Batches()
            | diagrams.Raster()
            | diagrams.Descent()
            | diagrams.Panels()
        ):
            return panels.draw_diagram(picture, width, height, look)
        case pictures.Regions():
            return picture_planes.regions(picture, width, height, look)
        case pictures.Surface():
            return picture_planes.surface(picture, width, height, look)
        case pictures.Fit():
            return picture_fit.fit(picture, width, height, look)
        case pictures.Images():
            return picture_images.images(picture, width, height, look)
        case pictures.Maps():
            return picture_images.maps(picture, width, height, look)
        case pictures.Confusion():
            return picture_tables.confusion(picture, width, height, look)
        case pictures.ActivationCurve():
            return picture_activation.activation(picture, width, height, look)
        case pictures.SoftmaxSteps():
            return picture_tables.softmax(picture, width, height, look)
