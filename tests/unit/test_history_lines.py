"""Heatmaps of the layers' histories, and the units of a layer, as text."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from d2ltui.charts.canvas import Look
from d2ltui.charts.of_layers import layer_curves
from d2ltui.charts.spec import COLOURED, colours_of
from d2ltui.engine.picture_desk import MAX_PAST, PictureDesk
from d2ltui.history.live import LiveRun
from d2ltui.spec.config import resolve
from d2ltui.spec.events import Finding, LayersProbed, LayerStats, RunEnded, StepsTrained
from d2ltui.spec.pictures import PictureMade, PictureRequest
from d2ltui.tui.panes.finding_lines import finding_lines
from d2ltui.tui.panes.history_lines import LABEL_WIDTH, heatmap_lines
from d2ltui.tui.screens.layer import unit_lines

PLAIN = Look(colours=False, ascii=True)


def layer(counts: tuple[int, ...], low: float, high: float, **fields: object) -> LayerStats:
    stats = LayerStats(
        index=1, title="ReLU", counts=counts, mean=0, sd=1, minimum=low, maximum=high, zeros=0, dead=0.0,
        saturated=None, nonfinite=0, gradient_norm=None, weight_norm=None,
    )  # fmt: skip
    return msgspec.structs.replace(stats, **fields)


def text(lines: list[list[tuple[int, str]]]) -> list[str]:
    return ["".join(run for _, run in line) for line in lines]


def test_a_layer_that_wanders_upwards_is_seen_to() -> None:
    probes = [LayersProbed(step, (layer((5,), step / 100, (step + 25) / 100),)) for step in (0, 25, 50, 75)]
    name, *rows, steps = text(heatmap_lines(probes, LABEL_WIDTH + 4, 6, PLAIN))
    assert name == "1 ReLU"
    assert [row[LABEL_WIDTH:] for row in rows] == ["   @", "  @ ", " @  ", "@   "]
    assert rows[0].startswith("      1 ")
    assert rows[-1].startswith("      0 ")
    assert steps.split() == ["step", "0", "75"]


def test_time_is_what_runs_from_left_to_right_not_the_number_of_looks() -> None:
    early = [LayersProbed(step, (layer((1,), 0, 1),)) for step in range(10)]
    late = LayersProbed(100, (layer((1,), 1, 2),))
    rows = text(heatmap_lines([*early, late], LABEL_WIDTH + 11, 4, PLAIN))[1:-1]
    # Each has the places that are nearest to it: of ten looks in a tenth of the time, all together have half of them.
    assert [row[LABEL_WIDTH:] for row in rows] == [" " * 6 + "@" * 5, "@" * 6 + " " * 5]


def test_of_two_looks_the_second_is_seen_as_well_as_the_first() -> None:
    probes = [LayersProbed(0, (layer((1,), 0, 1),)), LayersProbed(25, (layer((1,), 1, 2),))]
    rows = text(heatmap_lines(probes, LABEL_WIDTH + 10, 4, PLAIN))[1:-1]
    assert [row[LABEL_WIDTH:] for row in rows] == [" " * 5 + "@" * 5, "@" * 5 + " " * 5]


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (120, "1 ReLU  2 looks, at the steps 0, 1,250: each fills the place up to halfway to the next"),
        (60, "1 ReLU  2 looks, each drawn up to halfway to the next"),
        (20, "1 ReLU  2 looks"),
        (10, "1 ReLU"),
    ],
)
def test_where_looks_are_few_it_is_said_that_nothing_jumps_between_them(width: int, said: str) -> None:
    probes = [LayersProbed(0, (layer((1,), 0, 1),)), LayersProbed(1250, (layer((1,), 1, 2),))]
    assert text(heatmap_lines(probes, width, 4, PLAIN))[0] == said
    many = [LayersProbed(step, (layer((1,), step, step + 1),)) for step in range(20)]
    assert text(heatmap_lines(many, width, 4, PLAIN))[0] == "1 ReLU"


@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.floats(-5, 5), st.floats(0, 5)),
        min_size=1,
        max_size=30,
    ),
    st.integers(1, 120),
    st.integers(1, 50),
    st.booleans(),
)
@example([([4], 0.0, 2.2250738585072014e-308)], 1, 1, False)
@example([([4, 2], 0.0, 1e-308), ([4], -1.0, 5.0)], 20, 10, False)
@example([([4, 2], 1e20, 0.0), ([1, 3], 1e20, 1e10)], 20, 10, False)
@example([([0], -0.0078125, 1.0)], 1, 1, False)
def test_any_history_fits_its_place(
    history: list[tuple[list[int], float, float]], width: int, height: int, ascii: bool
) -> None:
    probes = [
        LayersProbed(step, (layer(tuple(counts), low, low + span),)) for step, (counts, low, span) in enumerate(history)
    ]
    lines = text(heatmap_lines(probes, width, height, Look(ascii=ascii)))
    assert len(lines) <= (height if height >= 4 else 6)  # a pane that is lower scrolls
    for line in lines[1:-1]:
        assert len(line) == LABEL_WIDTH + max(1, width - LABEL_WIDTH)
    if ascii:
        assert all(line.isascii() for line in lines)


def test_no_look_yet_and_nothing_finite() -> None:
    assert heatmap_lines([], 80, 20, Look()) == []
    broken = LayersProbed(3, (layer((0,), float("-inf"), float("inf"), nonfinite=7),))
    assert "not finite" in text(heatmap_lines([broken], 80, 20, Look()))[0]


def test_dead_units_are_marked_and_counted() -> None:
    lines = text(unit_lines(layer((1,), 0, 1, unit_activity=(0.0, 0.05, 0.5, 1.0), num_units=4), 60))
    assert lines[0].startswith("4 units: 1 (25 %) is never active")
    assert lines[-1].split() == ["1", "x169"]
    some = text(unit_lines(layer((1,), 0, 1, unit_activity=(1.0,) * 8, num_units=2000), 60))
    assert some[0].startswith("8 of 2,000 units: 0 (0 %)")


def test_one_is_one() -> None:
    for activity, told in (((0.0,), "1 unit: 1 (100 %) is never active"), ((1.0,), "1 unit: 0 (0 %) are never active")):
        lines = text(unit_lines(layer((1,), 0, 1, unit_activity=activity, num_units=1), 60))
        assert lines[0].startswith(told)


@pytest.mark.parametrize("width", [1, 10, 37, 200])
def test_units_fill_lines_of_tens(width: int) -> None:
    lines = text(unit_lines(layer((1,), 0, 1, unit_activity=(1.0,) * 123, num_units=123), width))[3:]
    assert sum(line.count("9") for line in lines) >= 123
    assert all(len(line) <= max(16, width) for line in lines)


def test_a_layer_without_an_activation_has_no_units_to_die() -> None:
    assert "no units that could die" in text(unit_lines(layer((1,), 0, 1), 60))[0]


def test_a_deep_network_s_layers_have_rows_enough_to_be_told_apart() -> None:
    layers = tuple(msgspec.structs.replace(layer((0, 1, 0, 5), 0.0, 1.0), index=index) for index in range(1, 22))
    lines = text(heatmap_lines([LayersProbed(1, layers), LayersProbed(2, layers)], 40, 30, Look()))
    assert len(lines) == 21 * 5 + 1


def test_outputs_that_are_never_negative_are_told_as_such_in_the_layers_own_view() -> None:
    relu = layer((1,), 0, 3.5, unit_activity=(1.0, 0.5), num_units=2, mean=0.7)
    assert "not zero-centred: outputs from 0 to 3.5, mean 0.7;" in " ".join(text(unit_lines(relu, 60)))
    told = " ".join(text(unit_lines(relu, 60, 1_335)))
    assert told.count("step") == 1
    assert "down together (figures of step 1,335, when its outputs were looked at)" in " ".join(told.split())
    tanh = msgspec.structs.replace(relu, title="Tanh")
    assert "zero-centred" not in " ".join(text(unit_lines(tanh, 60)))


def test_what_follows_from_a_cause_stands_below_it_without_a_remedy() -> None:
    cause = Finding(
        "symmetry", "alarm", None, 9, 0.4, "All weights start at 0.", "Equal.", "Train.", {"init": "xavier"}
    )
    follows = Finding("dead-relu", "alarm", 2, 9, 1.0, "All units are dead.", "0.", "", {}, because_of="symmetry")
    lines, starts = finding_lines([cause, follows], 0, 60)
    assert starts == [0, 3]
    assert text(lines) == [
        "›▲ All weights start at 0.",
        "   Equal.",
        "   Try: Train. (key f puts it into the form)",
        "   because of this: All units are dead.",
    ]


@pytest.mark.parametrize("look", [PLAIN, Look(colours=False), Look(), Look(background=(240, 240, 240))])
def test_a_heatmap_has_more_than_four_shades_and_a_legend(look: Look) -> None:
    """Every bin of this histogram is fuller than the one before; the heatmap shows as many shades as it has rows."""
    probe = LayersProbed(1, (layer(tuple(range(1, 17)), 0, 16),))
    lines = heatmap_lines([probe, probe], LABEL_WIDTH + 90, 14, look)
    cells = [line[-1] for line in lines[1:-1]]
    if look.colours:
        pairs = [colours_of(style) for style, _ in cells if style >= COLOURED]
        shades = {colour for pair in pairs for colour in pair if colour is not None}
        lightness = [sum(pair[1] or (0, 0, 0)) for pair in pairs]
        away = -1 if look.background[0] < 128 else 1  # the fullest bin, in the highest row, is farthest from it
        assert lightness == sorted(lightness, reverse=away < 0)
    else:
        shades = {text[0] for _, text in cells}
        ink = [bin(ord(text[0]) - 0x2800).count("1") for _, text in cells if ord(text[0]) > 0x2800]
        assert ink == sorted(ink, reverse=True)
    assert len(shades) >= 8
    legend = "".join(text for _, text in lines[-1])
    assert "none " in legend
    assert "the look's fullest bin" in legend


def test_the_cursor_stands_below_the_heatmap_at_its_step() -> None:
    probes = [LayersProbed(step, (layer((1,), 0, 1),)) for step in range(0, 101, 10)]
    below = text(heatmap_lines(probes, LABEL_WIDTH + 60, 8, PLAIN, cursor=50))[-1]
    assert below[LABEL_WIDTH + 27 : LABEL_WIDTH + 34].strip().startswith("|50")


def test_norms_and_update_ratios_are_curves_over_time() -> None:
    """Three charts, each with a curve for each layer with weights; of what was never measured, a sentence."""
    live = LiveRun(resolve({"epochs": 2}))
    for step in (0, 45, 90):
        layers = tuple(
            msgspec.structs.replace(layer((1,), 0, 1), index=index, title=f"Linear {index}", gradient_norm=norm / index,
                                    weight_norm=norm * index)
            for index, norm in ((1, 1.0 + step), (2, None), (3, 1.0 + step)) if norm is not None
        )  # fmt: skip
        live(LayersProbed(step, layers))
    live(StepsTrained(90, np.ones(90, np.float32), np.ones(90, np.float32), 1.0))
    for height, ascii in ((30, False), (12, True)):
        lines = text(layer_curves(live, 70, height, unit="step", cursor=45, ascii=ascii))
        heads = [line for line in lines if line.startswith(("gradient norm", "weight norm", "update ratio"))]
        assert len(heads) == 3
        assert sum("Linear 1" in line and "Linear 3" in line for line in lines) == 2  # legends
        assert any("not measured yet" in line for line in lines)
        assert any(line[7:].count("|" if ascii else "┊") for line in lines)
        assert all(len(line) <= 70 for line in lines)
        assert not ascii or all(line.isascii() for line in lines)
    live(RunEnded("finished", "", {}))  # and there is no later
    lines = text(layer_curves(live, 70, 30, unit="step", cursor=None, ascii=False))
    assert any("not measured in this run" in line for line in lines)


def test_earlier_pictures_are_kept_for_the_cursor() -> None:
    desk, request = PictureDesk(), PictureRequest("regions", 10, 10)
    desk.ask(request)
    for step in range(10, 10_000, 10):
        desk.put(PictureMade(request, step, None, ""))
    assert len(desk.past) <= MAX_PAST
    assert (made := desk.at(5_000)) is not None
    assert 4_000 < made.step <= 5_000
    assert desk.at(9_990) is desk.made
    assert desk.at(5) is desk.past[0]  # the nearest to it: the picture's step is told beside it
    desk.ask(PictureRequest("regions", 20, 10))  # of another size
    assert desk.at(5_000) is None


def test_of_outputs_that_are_all_zero_nothing_is_said_about_their_centre() -> None:
    dead = layer((9,), 0, 0, unit_activity=(0.0, 0.0), num_units=2, mean=0.0)
    told = " ".join(text(unit_lines(dead, 60)))
    assert "2 units: 2 (100 %) are never active" in told
    assert "zero-centred" not in told


def test_units_that_saturate_are_said_to_be_saturated_not_inactive() -> None:
    sigmoid = layer((1,), 0.1, 1, unit_activity=(0.0, 0.35), num_units=2, mean=0.7)
    told = " ".join(text(unit_lines(msgspec.structs.replace(sigmoid, title="Sigmoid"), 80)))
    assert "2 units: 1 (50 %) is always saturated, marked x; the others by the tenths of the samples" in told
    assert "for which they are not: 1 few, 9 nearly all" in told
    assert "active" not in told


@pytest.mark.parametrize("look", [PLAIN, Look()])
def test_the_heatmap_of_a_run_that_diverges_shows_what_was_before(look: Look) -> None:
    """Outputs of about 1, then some that know no bounds, then none that are numbers."""
    usual = [LayersProbed(step, (layer((1, 2, 3, 4), 0, 1),)) for step in range(8)]
    huge = LayersProbed(8, (layer((4, 3, 2, 1), -1e30, 1e30),))
    broken = LayersProbed(9, (layer((0,) * 4, float("nan"), float("nan"), nonfinite=9),))
    lines = heatmap_lines([*usual, huge, broken], LABEL_WIDTH + 10, 6, look)
    name, *rows, _ = text(lines)
    assert name.startswith("1 ReLU: blank where far beyond this scale, or not finite")
    assert rows[0].split()[0] == "1"
    assert rows[-1].split()[0] == "0"
    plain = text(heatmap_lines(usual, LABEL_WIDTH + 10, 6, look))
    assert plain[0] == "1 ReLU"
    if look.ascii:
        assert all(row[LABEL_WIDTH:].rstrip() == row[LABEL_WIDTH : LABEL_WIDTH + 8] for row in rows)


def test_a_layer_that_has_died_does_not_make_what_was_before_too_large_to_be_seen() -> None:
    alive = [LayersProbed(step, (layer((1, 2), 0, 5),)) for step in range(3)]
    dead = [LayersProbed(step, (layer((9,), 0, 0),)) for step in range(3, 20)]
    name, top, *_ = text(heatmap_lines([*alive, *dead], LABEL_WIDTH + 20, 6, PLAIN))
    assert name == "1 ReLU"
    assert top.split()[0] == "5"
