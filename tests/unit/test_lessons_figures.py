"""What a lesson's figure says can be seen in it: one quantity, marks that are named, and what lies on each other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from d2ltui.charts.canvas import Look
from d2ltui.charts.picture import draw_picture
from d2ltui.history.live import LiveRun
from d2ltui.lessons import LESSONS, Bench
from d2ltui.lessons.book import (
    batch_size,
    cross_entropy,
    data_size,
    early_stopping,
    exploding,
    learning_rate,
    momentum,
    no_activation,
    relu_fast,
    symmetry,
    xavier,
    zero_centred,
)
from d2ltui.lessons.bowl import Bowl
from d2ltui.spec.diagrams import Bars, Curves, Descent, Diagram, Panels, Path, Raster
from d2ltui.spec.language import using
from d2ltui.spec.numbers import number
from d2ltui.spec.pictures import Regions

SIZES = [(46, 7), (74, 20), (110, 30)]
SLOPE = np.add.outer(np.linspace(-1, 1, 20) ** 2, np.linspace(-1, 1, 30) ** 2).astype(np.float32)


def drawn(picture: Diagram, width: int, height: int, look: Look | None = None) -> list[str]:
    lines = draw_picture(picture, width, height, look or Look(colours=False))
    return ["".join(text for _, text in line).rstrip() for line in lines]


def test_the_signal_is_told_where_its_curves_end() -> None:
    """Title and curves are of one quantity, the size relative to the first layer's."""
    by_layer = {"small": [1.0, 1e-1, 3e-10], "Xavier": [1.0, 1.1, 0.9], "large": [1.0, 1e4, 2e8]}
    (panel,) = xavier._picture(by_layer, whole=True).panels
    assert isinstance(panel.picture, Curves)
    ends = [number(curve.y[-1], 1) for curve in panel.picture.curves]
    assert panel.title.endswith(f"becomes {', '.join(ends)}")
    assert {curve.y[0] for curve in panel.picture.curves} == {1.0}
    far = {**by_layer, "small": [1.0, 1e-5, 1.1e-10], "large": [1.0, 1e5, 1.1e8]}
    ticks = [line.split("⠤")[0].strip() for line in drawn(xavier._picture(far, whole=True), 60, 11)]
    assert {"1e-10", "1", "1e10"} <= set(ticks), "no row is spent on what is far from all of them"
    assert "the first layer's being 1" in "\n".join(drawn(xavier._picture(by_layer, whole=True), 74, 20))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_accuracies_that_meet_are_both_seen_where_they_meet(width: int, height: int) -> None:
    train = {size: [value] for size, value in zip(data_size.SIZES, (1.0, 1.0, 0.97, 0.95, 0.94), strict=True)}
    val = {size: [value] for size, value in zip(data_size.SIZES, (0.43, 0.8, 0.86, 0.9, 0.93), strict=True)}
    lines = drawn(data_size._picture(train, val), width, height)
    assert any(set(line[-2:]) == {"t", "n"} for line in lines), "\n".join(lines)


def test_units_on_one_line_are_counted() -> None:
    alike = [[0.0, -0.2, -0.5]] * 16
    apart = [[unit / 10, unit / 9, unit / 8] for unit in range(16)]
    titles = [panel.title for panel in symmetry._picture({symmetry.EQUAL: alike, symmetry.RANDOM: apart}).panels]
    assert titles == ["16 alike: 1 line", "16 by chance: 16 lines"]


def test_every_numbered_step_is_seen_and_so_is_the_goal() -> None:
    steps = Path("epochs", [-0.9, 0.4, 0.49, 0.5], [-0.9, 0.4, 0.5, 0.5], 1, "0123")
    descent = Descent(SLOPE, (-1.0, 1.0), (-1.0, 1.0), ("w", "b"), (steps,), (0.5, 0.5))
    for width, height in ((20, 7), (36, 20)):
        text = "\n".join(drawn(descent, width, height)).partition("→")[0]
        assert all(text.count(mark) == 1 for mark in "0123✕"), text
    assert "23✕" in "\n".join(drawn(descent, 36, 20)), "in their order"


@pytest.mark.parametrize("look", [Look(), Look((250, 250, 250), (20, 20, 20)), Look(colours=False), Look(ascii=True)])
def test_a_landscape_says_which_shade_is_high(look: Look) -> None:
    descent = Descent(SLOPE, (-1.0, 1.0), (-1.0, 1.0), ("w", "b"), (), (0.0, 0.0))
    *_, legend = draw_picture(descent, 46, 12, look)
    said = "".join(text for _, text in legend)
    assert "high loss" in said
    if look.colours:  # the square is of the colour of the highest place
        square = next(style for style, text in legend if text in "■#")
        corner = draw_picture(descent, 46, 12, look)[0][0][0]
        assert square >> 25 & 0xFFFFFF in (corner >> 25 & 0xFFFFFF, corner & 0xFFFFFF)
    else:
        assert "@ high loss" in said


def test_only_the_steps_that_are_counted_are_drawn() -> None:
    bench = Bench(LESSONS["momentum"])
    bowl = Bowl(momentum._valley(bench.data(bench.config(momentum.PLAIN, 0))))
    goal = np.array(bowl.goal)
    path = [tuple((goal + 3 * 0.5**step).tolist()) for step in range(12)]
    (panel,) = momentum._picture({momentum.PLAIN: path}, bowl, {}).panels
    assert isinstance(panel.picture, Descent)
    steps, start = panel.picture.paths
    assert panel.title == f"SGD: {len(steps.x) - 1} steps"
    assert len(steps.x) - 1 == momentum._steps(bowl, path) == 4
    assert (start.mark, start.x[0]) == ("S", path[0][0])


def test_of_signs_what_has_none_is_named() -> None:
    for values, named in ((np.array([[1.0, 0.0]]), True), (np.array([[1.0, -1.0]]), False)):
        raster = Raster(values.astype(np.float32), ("down", "up"), signs=True)
        for look in (Look(), Look(colours=False)):
            assert ("blank: 0" in drawn(raster, 40, 6, look)[-1]) is named


def test_colours_mean_the_same_in_both_panels() -> None:
    picture = exploding._picture({"large weights": [1e5, 1e5], "Xavier": [0.2, 0.1]}, (2, 12, 7))
    curves, bars = (panel.picture for panel in picture.panels)
    assert isinstance(curves, Curves)
    assert isinstance(bars, Bars)
    colours = dict(zip(bars.labels, bars.colours, strict=True))
    assert colours["explodes"] == curves.curves[0].colour
    assert colours["lasts"] == curves.curves[1].colour
    assert colours["vanishes"] not in {curve.colour for curve in curves.curves}
    assert "…" not in picture.panels[1].title
    assert "7 initial weights" in picture.note


def test_marks_that_are_no_values_are_letters() -> None:
    bench = Bench(LESSONS["batch-size"])
    losses = {role: [2.0, 1.0, 0.5] for role in (batch_size.SMALL, batch_size.MIDDLE, batch_size.LARGE)}
    lines = drawn(batch_size._picture(bench, losses, {}), 46, 7)
    assert lines[-1] == "─s─ batches of 8  ─m─ of 64  ─l─ of 512"
    bench = Bench(LESSONS["learning-rate"])
    lines = drawn(learning_rate._picture(bench, {role: [2.0, 1.0, 0.5] for role in learning_rate.ROLES}), 46, 7)
    assert lines[-1] == "─l─ 0.001  ─m─ 0.1  ─h─ 1.2"


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_curve_of_a_loss_leaves_its_axis(width: int, height: int) -> None:
    for panel in cross_entropy._picture(cross_entropy.squared_error).panels:
        assert isinstance(panel.picture, Curves)
        low, high = panel.picture.low, panel.picture.high
        assert low is not None
        assert high is not None
        assert all(low <= y <= high for curve in panel.picture.curves for y in curve.y)
    assert "…" not in "".join(drawn(cross_entropy._picture(cross_entropy.squared_error), width, height))


def test_shares_are_told_in_percent() -> None:
    times = {"ReLU": (1e-4, 1e-4), "sigmoid": (2e-4, 1e-4), "tanh": (3e-4, 1e-4)}
    titles = [panel.title for panel in relu_fast._picture(times, {"ReLU": [2, 3]}).panels]
    assert titles == ["ns for one value", "epochs to 90 % right"]
    assert isinstance(relu_fast._picture(times, {}), Panels)


def test_pushes_both_ways_are_seen_in_few_rows() -> None:
    """Samples of one class are pushed up, others down: no room shows only the one."""
    bench = Bench(LESSONS["zero-centred"])
    run = bench.train("sigmoid", 0, epochs=1)
    signs = zero_centred._signs(run)
    for height in (3, 4, 5, 7, 18):
        rows = "".join(drawn(Raster(signs, ("-", "+"), signs=True), 20, height)[:-1])
        assert {"+", "-"} <= set(rows), height


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("height", [11, 12])
def test_decision_regions_are_alike_but_for_what_differs(language: str, height: int) -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (200, 2)).astype(np.float32)
    ends = (-1.0, 1.0)
    plane = Regions(
        np.zeros((8, 8), np.int64), np.ones((8, 8)), points, np.arange(200) % 2, ends, ends, ("x1", "x2"), ("a", "b")
    )
    roles = "circles, no activation", "circles, ReLU"
    with using(language):
        picture = no_activation._picture({(role, depth): plane for role in roles for depth in no_activation.DEPTHS})
        shown = drawn(picture, 48, height, Look())
    for name in ("ReLU", "identity" if language == "en" else "恒等"):
        assert [f"{name} {depth}" in " ".join(shown) for depth in no_activation.DEPTHS] == [True] * 4, "whole titles"
    titles = [index for index, line in enumerate(shown) if "4" in line]
    rows = [["".join(c if c in "●▲" else " " for c in line) for line in shown[i + 1 : i + 5]] for i in titles]
    assert rows[0] == rows[1] != [""] * 4, "the same samples"


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_where_to_stop_is_marked_across_the_curves(width: int, height: int) -> None:
    epochs = [SimpleNamespace(epoch=i, train_loss=2 / i, val_loss=1 + abs(i - 7) / 10) for i in range(1, 21)]
    live = cast("LiveRun", SimpleNamespace(epochs=epochs, config=SimpleNamespace(epochs=20)))
    lines = drawn(early_stopping._picture(live, 0), width, height)
    assert "lowest after 7 of 20 epochs" in lines[0]
    column = lines[1].index("X")
    axis = next(line for line in lines if "└" in line)
    left = axis.index("└") + 1
    assert column == left + round((len(axis) - left - 1) * 6 / 19)
    curves = lines[2 : lines.index(axis)]
    assert all(line[column : column + 1].strip() for line in curves), "a line from top to bottom"
