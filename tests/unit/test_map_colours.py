"""The shades of a map: what they stand for, in the shell, on the screen and in a picture."""

from __future__ import annotations

import pytest

from d2ltui.charts import heatmap, of_map
from d2ltui.charts.export_map import picture
from d2ltui.spec.axes import Axis
from d2ltui.spec.config import resolve
from d2ltui.spec.maps import Cell, Figures, Known, MapSpec
from d2ltui.spec.numbers import number

CIRCLES: dict[str, object] = {"model": "mlp", "dataset": "circles"}


@pytest.mark.parametrize(
    ("quantity", "good", "bad"),
    [
        ("val_accuracy", 1.0, 0.1), ("val_loss", 0.01, 20.0), ("train_loss", 0.5, 0.6),
        ("dead", 0.0, 0.7), ("saturated", 0.1, 1.0),
    ],
)  # fmt: skip
def test_what_is_better_is_brighter_whatever_is_shown(quantity: str, good: float, bad: float) -> None:
    cells: dict[Cell, Figures] = {
        (i, 0): {quantity: value, "finding": None, "status": "finished"} for i, value in enumerate((good, bad))
    }
    x, y = Axis("lr", (0.1, 0.2), "log"), Axis("init_std", (0.1,), "log")
    known, spec = Known(cells), MapSpec(resolve(CIRCLES), x, y, 1)
    (line,) = [line for line in of_map.draw_cells(spec, known, quantity, ascii=True) if line[0][1].endswith("|")]
    (better, better_as), (worse, _) = line[1:]
    assert better == heatmap.FIRST_LEVEL + heatmap.LEVELS - 1 > worse
    assert better_as == "##"
    key = of_map.key_of(known, quantity, ascii=True)
    assert key[-2][0] == better
    assert key[-1][1].split() == [number(good), "(best)"]
    svg = picture("m", spec, cells)
    assert svg.count('fill="#fde725"') == 2  # the better cell, and the last entry of the key
    assert f"{number(good)} (best)" in svg


@pytest.mark.parametrize(
    ("quantity", "values", "key"),
    [
        ("saturated", (None, None), "-- no units that can saturate"),  # no shades, which would stand for nothing
        ("dead", (0.5, None), ".. 1  :: 0.875  ++ 0.75  ** 0.625  ## 0.5 (best)  -- no units that can die"),
        ("gradient-ratio", (2.0, None), ".. 2  :: 2  ++ 2  ** 2  ## 2  -- no gradients to compare"),
    ],
)
def test_the_key_says_what_has_no_value(quantity: str, values: tuple[float | None, ...], key: str) -> None:
    known = Known({(i, 0): {quantity: value, "finding": None, "status": "finished"} for i, value in enumerate(values)})
    assert "".join(text for _, text in of_map.key_of(known, quantity, ascii=True)) == key


def test_the_title_says_the_range_of_epochs_where_they_are_an_axis() -> None:
    x, y = Axis("epochs", (10, 40, 100), "linear"), Axis("lr", (0.1,), "log")
    config = resolve({**CIRCLES, "epochs": 10})
    assert of_map.title(MapSpec(config, x, y, 1)) == "mlp (concise) on circles, 10 to 100 epochs"
    assert of_map.title(MapSpec(config, y, y, 1)) == "mlp (concise) on circles, 10 epochs"


def test_one_odd_cell_does_not_leave_all_others_one_shade() -> None:
    """The ends lie where nearly all are; the key says so in the shell, on the screen, and in the picture alike."""
    losses = [1e-9, *(0.1 + 0.1 * i for i in range(22)), 1e9]
    cells: dict[Cell, Figures] = {
        (i, 0): {"val_loss": loss, "finding": None, "status": "finished"} for i, loss in enumerate(losses)
    }
    x, y = Axis("lr", tuple(0.01 * (i + 1) for i in range(len(losses))), "linear"), Axis("init_std", (0.1,), "log")
    spec, known = MapSpec(resolve(CIRCLES), x, y, 1), Known()
    for cell, figures in cells.items():  # as they come
        known.add({cell: figures})
    drawing = of_map.draw_cells(spec, known, "val_loss", ascii=False)
    levels = [style for style, text in drawing[1][1:] for __ in range(len(text) // heatmap.CELL)]
    assert len(set(levels)) > 10
    assert levels == sorted(levels, reverse=True)
    for ascii, signs in ((False, ("≥", "≤")), (True, (">=", "<="))):
        key = [text.strip() for __, text in of_map.key_of(known, "val_loss", ascii=ascii)][1::2]
        assert (key[0], key[-1]) == (f"{signs[0]} 2.2", f"{signs[1]} 0.1 (best)")
    svg = picture("m", spec, cells)
    assert "≥ 2.2<" in svg
    assert "≤ 0.1 (best)<" in svg
