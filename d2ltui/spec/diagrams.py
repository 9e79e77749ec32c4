"""Diagrams: plain values, drawn as pictures are, for whoever has something to show that is no network's picture.

Several of them side by side, each with a title, are `Panels`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float32]

LOWEST = 4  # rows of a panel with its title, from which on there is something to see


class Curve(msgspec.Struct, frozen=True):
    """A line through points (x, y); those that are not finite are gaps. It has the `colour` of that number.

    `mark` is a letter on its points, which tells the line apart where there are no colours. A `faint` one stands back.
    Points that are not `joined` are points only.
    """

    label: str
    x: list[float]
    y: list[float]
    colour: int = 0
    mark: str = ""
    faint: bool = False
    joined: bool = True


class Curves(msgspec.Struct, frozen=True):
    """Lines over one x axis, and `bars` (x, height) behind them. Limits that are None come from the values.

    `log` and `log_x` make the y axis and the x axis logarithmic. `axes` are names of the x and the y axis
    that stand below the chart; `x_label` is a shorter one beside the ticks.
    """

    curves: tuple[Curve, ...]
    x: tuple[float, float]
    x_label: str = ""
    low: float | None = None
    high: float | None = None
    log: bool = False
    log_x: bool = False
    whole: bool = False  # whether the ticks of the x axis are whole numbers
    bars: tuple[list[float], list[float]] | None = None
    bars_label: str = ""
    axes: tuple[str, str] = ("", "")


class Bars(msgspec.Struct, frozen=True):
    """A bar for each label, from 0 to its value; the longest one fills the width, or `full` does.

    A value that is not finite is told in words. `colours` are numbers, one for each bar; `form` is how a value is told.
    """

    labels: tuple[str, ...]
    values: tuple[float, ...]
    colours: tuple[int, ...] = ()
    full: float | None = None
    form: str = ".3g"


class Batches(msgspec.Struct, frozen=True):
    """In which batches samples come: for each of `names`, an epoch, its batches, each the numbers of its samples."""

    names: tuple[str, ...]
    epochs: tuple[tuple[tuple[int, ...], ...], ...]


class Raster(msgspec.Struct, frozen=True, eq=False):
    """Numbers in rows and columns, the first row at the top: as light or dark, or as signs.

    `values` (rows, columns) go from 0, which is called `names[0]` and light, to 1, `names[1]` and dark; with `signs`
    from −1 to 1. `across` says what the first and the last column are.
    """

    values: Floats
    names: tuple[str, str]
    across: tuple[str, str] = ("", "")
    signs: bool = False


class Path(msgspec.Struct, frozen=True):
    """Steps (x, y) in a plane, from the first to the last, drawn in the `colour` of that number.

    `mark` is the character of every step, or one for each: 0123.
    """

    label: str
    x: list[float]
    y: list[float]
    colour: int = 0
    mark: str = "o"


class Descent(msgspec.Struct, frozen=True, eq=False):
    """A loss over a plane of two weights, (height, width) with the top row first, and the paths that training took.

    `goal` is where the loss is lowest.
    """

    loss: Floats
    x: tuple[float, float]
    y: tuple[float, float]
    axes: tuple[str, str]
    paths: tuple[Path, ...]
    goal: tuple[float, float] | None = None


class Panel(msgspec.Struct, frozen=True, eq=False):
    """A diagram, or a picture of a network, with a title."""

    title: str
    picture: Any


class Panels(msgspec.Struct, frozen=True, eq=False):
    """Several of them, in rows of `columns`, or of fewer where each would be narrower than `narrowest`; and a note.

    Where there is no room for all of them, each `lowest` rows high, only those that are `main` are drawn, by number.
    The note, too, is left out where it does not fit whole.
    """

    panels: tuple[Panel, ...]
    columns: int = 2
    note: str = ""
    narrowest: int = 12
    main: tuple[int, ...] = ()
    lowest: int = LOWEST


Diagram: TypeAlias = "Curves | Bars | Batches | Raster | Descent | Panels"
