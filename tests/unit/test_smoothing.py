"""Smoothing goes by steps: what it makes of one is the same however the history is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2ltui.charts.of_run import Curves
from d2ltui.history.live import LiveRun
from d2ltui.history.series import Series
from d2ltui.history.smoothing import Average, SmoothedReducer, smooth
from d2ltui.spec import events
from d2ltui.spec.config import resolve


@given(
    st.lists(st.floats(-1e6, 1e6), max_size=60),
    st.sampled_from([0.3, 0.6, 0.8, 0.9, 0.95, 0.98]),
)
def test_smooth_is_the_weighted_mean_of_the_past(values: list[float], weight: float) -> None:
    """The closed form of the debiased average: weights w^(i-j), divided by their sum."""
    smoothed = smooth(values, weight)
    for i in range(len(values)):
        weights = weight ** np.arange(i, -1, -1.0)
        assert smoothed[i] == pytest.approx(weights @ np.array(values[: i + 1]) / weights.sum(), rel=1e-6, abs=1e-6)


def test_smooth_leaves_out_what_is_not_finite() -> None:
    smoothed = smooth([1.0, np.nan, 3.0, np.inf, 2.0], 0.6)
    assert np.isnan(smoothed[1])
    assert np.isinf(smoothed[3])
    np.testing.assert_allclose(smoothed[[0, 2, 4]], smooth([1.0, 3.0, 2.0], 0.6))


def test_smooth_with_weight_0_changes_nothing_and_copies() -> None:
    values = np.array([1.0, np.nan, 2.0])
    smoothed = smooth(values, 0)
    np.testing.assert_array_equal(smoothed, values)
    assert smoothed is not values


@pytest.mark.parametrize("weight", [-0.1, 1, float("nan")])
def test_smooth_refuses_other_weights(weight: float) -> None:
    with pytest.raises(ValueError, match="allowed: 0 to less than 1"):
        smooth([1.0], weight)


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), max_size=200), st.integers(1, 50))
def test_piece_by_piece_it_is_the_same(values: list[float], size: int) -> None:
    average = Average(0.9)
    pieces = [average.add(values[start : start + size]) for start in range(0, len(values), size)]
    np.testing.assert_allclose(np.concatenate([[], *pieces]), smooth(values, 0.9), rtol=1e-9, atol=1e-6)


def test_a_value_far_above_the_others_is_forgotten() -> None:
    values = np.ones(5000)
    values[100] = 1e30
    assert smooth(values, 0.98)[-1] == pytest.approx(1.0)


def test_only_new_values_are_averaged_and_all_of_them_where_the_history_is_another() -> None:
    series, fresh = Series(), np.sin(np.arange(4000.0))
    smoother = SmoothedReducer(series)
    for end in (10, 1000, 1001, 4000):
        series.extend(fresh[len(series) : end])
        reduced = smoother.reduce(0.9, 4000, 4000)
        np.testing.assert_allclose(reduced.mean, smooth(fresh[:end], 0.9 ** (1 / 40)), rtol=1e-4, atol=1e-5)
    series.truncate(500)
    series.extend(np.zeros(600))
    smoother.reduce(0.6, 4000, 50)
    expected = smooth(np.concatenate([fresh[:500], np.zeros(600)]), 0.6 ** (1 / 40))
    assert [smoother.at(step) for step in (500, 1100)] == pytest.approx([expected[499], expected[-1]], rel=1e-4)
    assert np.isnan([smoother.at(0), smoother.at(1101)]).all()


@pytest.mark.parametrize("steps", [40, 3000])
def test_a_step_reads_the_same_at_every_zoom_and_width(steps: int) -> None:
    live = LiveRun(resolve({"dataset": "digits", "epochs": 10}))
    values = np.random.default_rng(0).normal(2.0, 1.0, steps).astype(np.float32)
    live(events.StepsTrained(steps, values, values, 0.0))
    step, found = steps // 2, set()
    for width in (31, 60, 120, 198):
        for zoom in (0, 1, 4):
            curves = Curves(live)
            curves.loss(width, 12, log=False, smoothing=0.9, ascii=False, zoom=zoom, cursor=step)
            curves.metric(width, 12, smoothing=0.9, ascii=False, zoom=zoom, cursor=step)
            found |= {curves.reading("loss", step)[1], curves.reading("metric", step)[1]}
    assert len(found) == 1
    assert abs(found.pop() - 2.0) < abs(values[step - 1] - 2.0)
