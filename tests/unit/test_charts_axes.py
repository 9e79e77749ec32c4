"""Limits and ticks: round, around the data, and steady while data comes in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2ltui.charts.axes import labels, nice_limits, ticks

FINITE = st.floats(-1e90, 1e90).filter(lambda number: number == 0 or abs(number) > 1e-90)
POSITIVE = st.floats(1e-90, 1e90)


@given(FINITE, FINITE)
def test_linear_limits_are_around_the_values(a, b):
    low, high = nice_limits(min(a, b), max(a, b))
    size = max(abs(a), abs(b))
    assert low < high
    assert low <= min(a, b) + 1e-6 * size
    assert high >= max(a, b) - 1e-6 * size


@given(POSITIVE, POSITIVE)
def test_logarithmic_limits_are_around_the_values(a, b):
    low, high = nice_limits(min(a, b), max(a, b), log=True)
    assert 0 < low < high
    assert low <= min(a, b) * (1 + 1e-6)
    assert high >= max(a, b) * (1 - 1e-6)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.13, 2.31, (0, 3)),
        (0.9, 0.97, (0.9, 0.98)),
        (-3.2, 7.1, (-5, 10)),
        (-8, -0.1, (-8, 0)),
        (0, 0, (0, 1)),
        (2, 2, (1.95, 2.05)),
        (-1, -1, (-1.04, -0.96)),
    ],
)
def test_linear_limits(low, high, expected):
    assert nice_limits(low, high) == expected


def test_limits_change_rarely_while_a_loss_falls():
    """From 2.3 to 0.01 in a thousand steps: the upper limit stays, and the lower one is 0 before long."""
    limits = [nice_limits(2.3 * 0.995**step, 2.3) for step in range(1, 1000)]
    changes = sum(a != b for a, b in pairwise(limits))
    assert changes <= 12
    assert limits[-1] == nice_limits(0.0, 2.3)


@given(FINITE, FINITE, st.integers(1, 12), st.booleans())
def test_ticks_are_inside_and_few(a, b, most, whole):
    low, high = nice_limits(min(a, b), max(a, b))
    found = ticks(low, high, most, whole=whole)
    slack = 1e-6 * (high - low)
    assert all(low - slack <= tick <= high + slack for tick in found)
    assert found == sorted(set(found))
    assert len(found) <= most + 1


@given(POSITIVE, POSITIVE, st.integers(1, 12))
def test_logarithmic_ticks_are_inside_and_few(a, b, most):
    low, high = nice_limits(min(a, b), max(a, b), log=True)
    found = ticks(low, high, most, log=True)
    assert all(low * (1 - 1e-6) <= tick <= high * (1 + 1e-6) for tick in found)
    assert found == sorted(set(found))
    assert 1 <= len(found) <= 2 * most + 2


@given(FINITE, FINITE, st.integers(1, 12), st.integers(6, 9))
def test_labels_fit(a, b, most, width):
    low, high = nice_limits(min(a, b), max(a, b))
    found = labels(ticks(low, high, most), width)
    assert all(len(label) <= width for label in found)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 8))
def test_labels_say_the_value(low, span, most):
    numbers = ticks(*nice_limits(low, low + span), most)
    for number, label in zip(numbers, labels(numbers, 12), strict=True):
        assert float(label) == pytest.approx(number, rel=1e-6, abs=1e-9)


def test_whole_ticks():
    assert ticks(0, 3, 6, whole=True) == [0, 1, 2, 3]
    assert ticks(0, 0.5, 5, whole=True) == [0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_quarters():
    assert labels(ticks(0, 1, 4), 6) == ["0.00", "0.25", "0.50", "0.75", "1.00"]
