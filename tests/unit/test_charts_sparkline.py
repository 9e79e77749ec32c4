"""One-row histograms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2ltui.charts.sparkline import rebin, sparkline

COUNTS = st.lists(st.integers(0, 10**6), max_size=80)


@pytest.mark.parametrize(
    ("counts", "width", "expected"),
    [
        ([0, 1, 2, 4, 8], 5, " ▁▂▄█"),
        ([1, 1, 2, 2, 0, 0], 3, "▄█ "),
        ([0, 8], 4, "  ██"),
        ([1, 1000], 2, "▁█"),
        ([], 3, "   "),
        ([0, 0], 2, "  "),
        ([1], 0, ""),
    ],
)
def test_sparkline(counts, width, expected):
    assert sparkline(counts, width) == expected


def test_plain_and_root():
    assert sparkline([0, 1, 7, 100], 4, ascii=True) == " ..#"
    assert sparkline([1, 25, 100], 3, root=True) == "▁▄█"


def test_what_is_no_count_is_empty():
    assert sparkline([float("nan"), -3, float("inf"), 2], 4) == "   █"


@given(COUNTS, st.integers(0, 100), st.booleans(), st.booleans())
def test_width_and_empty_bins(counts, width, ascii, root):
    text = sparkline(counts, width, ascii=ascii, root=root)
    assert len(text) == width
    assert not ascii or text.isascii()
    bins = len(counts)
    for column, character in enumerate(text):
        covered = [
            counts[i] for i in range(bins) if i * width < (column + 1) * bins and (i + 1) * width > column * bins
        ]
        assert (character == " ") == (not any(covered))


@given(COUNTS.filter(bool), st.integers(1, 100))
def test_rebinning_keeps_the_sum(counts, width):
    assert sum(rebin(counts, width)) == pytest.approx(sum(counts))
