"""The figures of a layer's outputs, beside its name, in whatever room there is."""

from __future__ import annotations

import msgspec
import pytest

from d2ltui.charts.spec import Style
from d2ltui.spec.events import LayerStats
from d2ltui.tui.panes.layer_lines import layer_lines

SIGMOID = LayerStats(2, "Sigmoid", (1,) * 8, 0.03, 0.1, 9e-6, 1.0, 0.0, None, 0.682, 0, None, None)
RELU = msgspec.structs.replace(SIGMOID, title="ReLU", zeros=0.323, dead=0.0664, saturated=None)


@pytest.mark.parametrize("width", [*range(20, 40), 80])
@pytest.mark.parametrize(("stats", "figure"), [(SIGMOID, "68.2"), (RELU, "6.64")])
def test_no_width_cuts_a_share(width: int, stats: LayerStats, figure: str) -> None:
    line = "".join(text for _, text in layer_lines([stats], width, 10, False)[0])
    assert len(line) <= width
    assert line.endswith((f" {figure} %", f" {figure}%"))
    assert line.startswith(f"2 {stats.title} ")


def test_the_share_of_zeros_goes_first() -> None:
    lines = ["".join(text for _, text in layer_lines([SIGMOID], width, 10, False)[0]) for width in (40, 34, 28, 20)]
    assert [" ".join(line.split()) for line in lines] == [
        "2 Sigmoid zero 0 % saturated 68.2 %",
        "2 Sigmoid zero 0% saturated 68.2%",
        "2 Sigmoid saturated 68.2%",
        "2 Sigmoid sat. 68.2%",
    ]


@pytest.mark.parametrize("width", [40, 41, 60, 61])
def test_outputs_that_are_all_one_number_are_one_bar(width: int) -> None:
    dead = msgspec.structs.replace(RELU, counts=(0, 0, 0, 9, 0, 0, 0, 0), minimum=0.0, maximum=0.0, zeros=1.0)
    for height in (3, 12):
        lines = layer_lines([dead], width, height, False)
        bars = [text for line in lines[1:-1] for style, text in line if style == Style.TRAIN]
        assert {bar.count("█") for bar in bars} == {1}
        assert all(set(bar) <= {" ", "█"} for bar in bars)
