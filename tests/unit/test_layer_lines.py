"""The figures of a layer's outputs, beside its name, in whatever room there is."""

from __future__ import annotations

import msgspec
import pytest

from d2ltui.charts.spec import Style
from d2ltui.spec.events import LayerStats
from d2ltui.tui.panes.layer_lines import BESIDE, layer_lines

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


LINEAR = LayerStats(
    1, "Linear", (1,) * 8, 0.0, 1.0, -2.0, 2.0, 0.0, None, None, 0, 0.25, 4.5, num_units=1,
    gradient_counts=(0, 9), gradient_minimum=-0.5, gradient_maximum=0.5,
    weight_counts=(3, 0, 0, 5), weight_minimum=-3.25, weight_maximum=1.5, parameters=(1.5, -3.25, 4.0),
)  # fmt: skip


def _text(*args: object, **options: object) -> list[str]:
    return ["".join(text for _, text in line) for line in layer_lines(*args, **options)]  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [*range(BESIDE, BESIDE + 8), 140])
def test_where_there_is_room_the_weights_stand_beside_the_outputs(width: int) -> None:
    lines = _text([LINEAR, RELU], width, 14, False, truth=(2.0, -3.4, 4.2))
    assert all(len(line) <= width for line in lines)
    half = (width - 3) // 2
    assert lines[0].startswith("1 Linear ")
    assert lines[0][half + 3 :].startswith("1 Linear: weights")
    assert lines[0].endswith("norm 4.5")
    (bars,) = (line for line in lines if line[half + 3 :].startswith("  -3.25 "))
    assert bars.rstrip().endswith("1.5")
    told = [line[half + 3 :].split() for line in lines if "learned" in line or "true" in line]
    assert told == [["learned", "w", "1.5", "-3.25", "b", "4"], ["true", "w", "2", "-3.4", "b", "4.2"]]
    assert any(line.startswith("2 ReLU ") for line in lines)


def test_where_there_are_rows_the_weights_stand_below_the_outputs() -> None:
    lines = _text([LINEAR], 60, 18, False, truth=(2.0, -3.4, 4.2))
    assert len(lines) <= 18
    assert [line.split()[0] for line in lines if line.strip()][-1] == "true"
    assert any(line.startswith("1 Linear: weights") for line in lines)
    few = _text([LINEAR], 60, 9, False, truth=(2.0, -3.4, 4.2))
    assert not any("weights" in line for line in few)
    assert len(few) == 9  # the outputs alone have all of it


@pytest.mark.parametrize("width", [24, 40, 80])
def test_weights_and_gradients_alone(width: int) -> None:
    weights = _text([LINEAR, RELU], width, 12, False, "weights")
    gradients = _text([LINEAR, RELU], width, 12, False, "gradients")
    assert all(len(line) <= width for line in weights + gradients)
    assert "weights" in weights[0]
    assert weights[0].endswith("norm 4.5")
    assert "gradient" in gradients[0]
    assert gradients[0].endswith("norm 0.25")
    assert gradients[-1].split()[0] == "-0.5"
    assert not any("ReLU" in line for line in weights + gradients)  # it has none


def test_a_look_of_an_older_version_has_no_weights_to_show() -> None:
    assert _text([SIGMOID], 100, 10, False, "weights") == []
    assert _text([SIGMOID], 100, 10, False) == _text([SIGMOID], 100, 10, False, truth=(1.0,))
