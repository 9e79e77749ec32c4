"""What is drawn: always the asked size, the right things in the right places, nothing that a terminal cannot show."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from d2ltui.charts.draw import draw
from d2ltui.charts.spec import Band, ChartSpec, Line, Style
from d2ltui.spec.width import cells

NAN, INF = float("nan"), float("inf")
ANY = st.one_of(st.floats(), st.sampled_from([NAN, INF, -INF, 0.0, 1e-320, 1e308, -1e308]))


def rows(spec) -> list[str]:
    return ["".join(text for _, text in runs) for runs in draw(spec)]


def of_style(spec, style) -> str:
    return "".join(text for runs in draw(spec) for s, text in runs if s == style)


def assert_fits(spec):
    drawing = draw(spec)
    assert len(drawing) == spec.height
    for runs in drawing:
        text = "".join(part for _, part in runs)
        assert cells(text) == spec.width
        assert text.isprintable()
        assert all(part for _, part in runs)
        assert not spec.ascii or text.isascii()


def curve(width=60, height=15, n=100, **options) -> ChartSpec:
    x = [10 * i / n for i in range(n)]
    train = Line("train", Style.TRAIN, x, [2.3 * math.exp(-v / 3) + 0.1 for v in x])
    epochs = [float(e) for e in range(1, 11)]
    val = Line("val", Style.VALIDATION, epochs, [2.5 * math.exp(-e / 3) + 0.6 for e in epochs], marker="•")
    values = {"lines": [train, val], "x_low": 0, "x_high": 10, "x_label": "epoch", **options}
    return ChartSpec(width, height, **values)


@given(st.integers(1, 90), st.integers(1, 45), st.booleans(), st.booleans(), st.integers(0, 30))
@example(1, 1, False, False, 5)
@example(12, 4, False, True, 5)
@example(13, 4, True, True, 5)
@example(500, 150, False, False, 30)
@example(500, 1, False, False, 30)
@example(1, 150, True, False, 30)
def test_every_size_is_filled_exactly(width, height, ascii, log, n):
    assert_fits(curve(width, height, n, ascii=ascii, log=log, empty_text="press ctrl+r to run it, or look around"))


@given(
    st.lists(st.tuples(ANY, ANY), max_size=12),
    st.tuples(ANY, ANY),
    st.tuples(st.none() | ANY, st.none() | ANY),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from("×●a"),
)
@example([(0.0, 0.0)], (0.0, 0.0), (None, 1e-320), False, False, False, "×")
@example([(0.0, 1.0)], (0.0, 0.0), (1.0, 1.0 + 1e-16), False, False, True, "a")
@example([(0.0, 1.0)], (0.0, 0.0), (1e-320, 2e-320), True, False, True, "a")
def test_every_value_can_be_drawn(points, x_limits, y_limits, log, ascii, joined, marker):
    x, y = [p[0] for p in points], [p[1] for p in points]
    line = Line("train", Style.TRAIN, x, y, marker=marker, joined=joined)
    bands = [Band(x, y, y[::-1])]
    assert_fits(ChartSpec(40, 10, [line], *x_limits, *y_limits, log=log, ascii=ascii, bands=bands, x_label="x"))


@given(st.text(max_size=30), st.booleans())
def test_every_label_takes_its_length_in_cells(text, ascii):
    assert_fits(curve(lines=[Line(text, Style.TRAIN, [0, 5], [1, 2], marker=text[:1])], ascii=ascii, x_label=text))
    assert_fits(curve(lines=[], ascii=ascii, empty_text=text))


def test_the_curve_is_where_its_values_are():
    """A falling line from the top left to the bottom right corner: on the diagonal of the plot area, throughout."""
    spec = ChartSpec(57, 23, [Line("", Style.TRAIN, [0, 10], [1, 0])], 0, 10, 0, 1)
    drawn = [
        (column - 7, row)
        for row, text in enumerate(rows(spec)[:21])
        for column, character in enumerate(text)
        if column >= 7 and character != " "
    ]
    assert {(0, 0), (49, 20)} <= set(drawn)
    assert all(abs(column / 49 - row / 20) < 0.06 for column, row in drawn)
    assert {column for column, _ in drawn} == set(range(50))


def test_both_series_are_seen_and_differ_without_colour():
    spec = curve()
    assert "─── train  ─•─ val" in rows(spec)[0]
    assert of_style(spec, Style.VALIDATION).count("•") == 11  # ten epochs and the legend
    assert "•" not in of_style(spec, Style.TRAIN)


def test_curves_that_lie_on_each_other_are_both_seen():
    """They take turns, cells of one and cells of the other, and their markers are in different places."""
    x = [float(i) for i in range(11)]
    same = [Line("train", Style.TRAIN, x, x), Line("val", Style.VALIDATION, x, x, marker="•")]
    spec = curve(lines=same)
    assert len(of_style(spec, Style.TRAIN)) > 15
    assert len(of_style(spec, Style.VALIDATION)) > 25
    assert of_style(spec, Style.VALIDATION).count("•") == 12
    x = [i / 10 for i in range(101)]
    three = [Line(name, i + 1, x, x, marker=name) for i, name in enumerate("abc")]
    counts = ["".join(rows(curve(lines=three))[1:]).count(name) for name in "abc"]
    assert min(counts) > 3


def test_a_legend_names_its_curves_and_cuts_names_that_are_too_long():
    lines = [Line(f"mlp-fashion-mnist-{i}", i, [0, 10], [0, i], marker="ab"[i]) for i in range(2)]
    assert rows(curve(80, lines=lines))[0].endswith("─a─ mlp-fashion-mnist-0  ─b─ mlp-fashion-mnist-1")
    short = rows(curve(40, lines=lines))[0]
    assert len(short) == 40
    assert short.count("mlp-") == 2
    assert short.count("…") == 2


def test_many_markers_are_thinned_and_stay_where_they_are():
    def places(epochs):
        x = [float(e) for e in range(1, epochs + 1)]
        spec = curve(lines=[Line("", Style.VALIDATION, x, x, marker="•")], x_high=200, y_low=0, y_high=200)
        return {(r, c) for r, text in enumerate(rows(spec)) for c, character in enumerate(text) if character == "•"}

    assert len(places(200)) <= 27
    assert places(100) < places(200)


def test_raw_values_are_behind():
    x = [float(i) for i in range(11)]
    train, raw = Line("train", Style.TRAIN, x, x), Line("", Style.RAW, x, x)
    for lines in ([train, raw], [raw, train]):
        assert of_style(curve(lines=lines), Style.RAW).strip() == ""


def test_a_band_shows_a_spike():
    x = [i / 10 for i in range(100)]
    low, high = [0.5] * 100, [0.6] * 100
    high[50] = 0.98
    spec = curve(lines=[], bands=[Band(x, low, high)], y_low=0, y_high=1)
    top = rows(spec)[0]
    assert len(top[7:].split()) == 1
    assert (len(top) - len(top.lstrip(" │1.0⠤"))) == pytest.approx(7 + 53 / 2, abs=1)


def test_what_is_not_finite_leaves_a_gap():
    y = [1.0] * 4 + [NAN, INF] + [1.0] * 4
    spec = curve(lines=[Line("", Style.TRAIN, [float(i) for i in range(10)], y)], y_low=0, y_high=2)
    line = of_style(spec, Style.TRAIN).strip()
    assert len(line.split()) == 2


def test_an_empty_chart_has_its_frame_and_its_text():
    spec = curve(lines=[Line("train", Style.TRAIN, [], [])], empty_text="press ctrl+r to run")
    text = rows(spec)
    middle = next(row for row in text if "press ctrl+r" in row)
    assert abs(middle.index("press") - 7 - (len(middle) - middle.index("run") - 3)) <= 1
    assert "└⡇" in text[-2]
    assert of_style(spec, Style.TEXT).count("press ctrl+r to run") == 1


@pytest.mark.parametrize(
    ("low", "high", "log", "expected"),
    [
        (0.0, 1.0, False, ["1.00", "0.75", "0.50", "0.25", "0.00"]),
        (0.0, 0.0002, False, ["2e-4", "1e-4", "0"]),
        (0.0, 500_000.0, False, ["5e5", "2.5e5", "0"]),
        (1e-3, 1.0, True, ["1", "0.1", "0.01", "1e-3"]),
        (0.1, 2.0, True, ["2", "1", "0.5", "0.2", "0.1"]),
    ],
)
def test_tick_labels_are_round_and_short(low, high, log, expected):
    spec = curve(lines=[Line("", Style.TRAIN, [0, 10], [low, high])], log=log, y_low=low, y_high=high)
    assert [row[:5].strip() for row in rows(spec)[:-2] if row[:5].strip()] == expected


def test_epochs_are_whole_numbers():
    labels = rows(curve(x_high=3))[-1].split()
    assert labels == ["epoch", "0", "1", "2", "3"]


def test_a_logarithmic_axis_is_straight_where_the_curve_is_exponential():
    x = [i / 10 for i in range(101)]
    spec = curve(lines=[Line("", Style.TRAIN, x, [10 ** (-v / 5) for v in x])], log=True)
    text = rows(spec)[:-2]
    for row, line in enumerate(text):
        middle = sum(c for c, ch in enumerate(line[7:]) if ch != " ") / max(1, len(line[7:].strip()))
        assert middle == pytest.approx(max(0, (row - 0.125) / (len(text) - 1) * 53 - 0.5), abs=1.2)


def test_a_logarithmic_axis_says_what_it_leaves_out():
    line = Line("train", Style.TRAIN, [0, 1, 2, 3], [1.0, 0.0, -1.0, 0.1])
    assert of_style(curve(lines=[line], log=True), Style.WARNING) == "(≤ 0 not shown)"
    assert of_style(curve(lines=[line], log=True, ascii=True), Style.WARNING) == "(<= 0 not shown)"
    assert of_style(curve(lines=[line]), Style.WARNING) == ""


def test_the_plot_area_stays_when_the_values_change():
    """Other limits change labels, not places: the axis is in the same column, the epochs in the same cells."""
    charts = [rows(curve(lines=[Line("a", Style.TRAIN, [0, 1], [0, v])])) for v in (1e-7, 0.5, 3, 123456, -2e20)]
    assert len({(text[-1], text[-2]) for text in charts}) == 1
    assert {row[6] for text in charts for row in text[1:-2]} == {"│"}


def test_more_data_leaves_the_older_curve_as_it_is():
    half, whole = curve(n=100), curve(n=100)
    part = msgspec.structs.replace(half.lines[0], x=half.lines[0].x[:60], y=half.lines[0].y[:60])
    before = rows(curve(lines=[part]))
    after = rows(curve(lines=whole.lines[:1]))
    assert [row[:36] for row in before] == [row[:36] for row in after]


def test_the_same_chart_twice_and_after_another_is_the_same():
    spec = curve(log=True)
    first = draw(spec)
    draw(curve(30, 9, ascii=True))
    assert draw(spec) == first


def test_points_on_a_fitted_line_are_seen_and_so_is_the_line():
    x = [i / 10 for i in range(100)]
    fit = Line("fit", Style.FIT, [0, 10], [0, 10])
    alone = len(of_style(curve(lines=[fit]), Style.FIT))
    dense = curve(lines=[Line("data", Style.DATA, x, x, joined=False), fit])
    assert len(of_style(dense, Style.FIT)) > 0.4 * alone
    assert len(of_style(dense, Style.DATA)) > 0.4 * alone
    few = [1.0, 4.0, 7.0]
    spec = curve(lines=[Line("data", Style.DATA, few, few, joined=False), fit])
    without = curve(lines=[Line("data", Style.DATA, [], [], joined=False), fit])
    assert len(of_style(spec, Style.DATA)) == len(of_style(without, Style.DATA)) + 3, "none is hidden"


def test_a_small_chart_says_the_last_values():
    spec = curve(11, 3)
    assert [row.strip() for row in rows(spec)[:2]] == ["train 0.185", "val 0.689"]
    assert rows(curve(11, 3, lines=[], empty_text="no run"))[0].strip() == "no run"


@pytest.mark.parametrize("height", range(6, 14))
@pytest.mark.parametrize(("low", "high"), [(0.08, 0.36), (0.0, 2.3), (0.5, 1.0), (0.97, 0.98), (1e-4, 3.0)])
@pytest.mark.parametrize("log", [False, True])
def test_a_scale_has_two_numbers_where_there_are_rows_for_them(height: int, low: float, high: float, log: bool) -> None:
    line = Line("train", Style.TRAIN, [0.0, 1.0, 2.0], [low or 0.01, high, high])
    drawn = rows(ChartSpec(50, height + log, lines=[line], x_low=0, x_high=2, log=log))
    labels = [row[:5].strip() for row in drawn[1:-2]]
    assert len([label for label in labels if label]) >= 2, "\n".join(drawn)
