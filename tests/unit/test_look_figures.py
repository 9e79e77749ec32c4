"""Figures of many numbers: moments, shares, histograms and norms."""

from __future__ import annotations

import math

import pytest
import torch

from d2ltui.diagnosis.figures import NUM_BINS, figures, norm, weight_figures


def test_a_large_tensor_is_summed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    whole = figures(values, (-1.0, 1.0))
    monkeypatch.setattr("d2ltui.diagnosis.figures.CHUNK", 64)
    torch.testing.assert_close(figures(values, (-1.0, 1.0)), whole, rtol=1e-12, atol=1e-12)


def test_values_that_are_not_finite_are_counted_and_in_no_bin() -> None:
    values = torch.tensor([1.0, math.nan, 2.0, math.inf, 0.0, -math.inf])
    low, high, mean, sd, zeros, _, nonfinite, *counts = figures(values).tolist()
    assert (low, high, mean, nonfinite) == (0.0, 2.0, 1.0, 3.0)
    assert sd == pytest.approx(math.sqrt(2 / 3))
    assert zeros == pytest.approx(1 / 3)
    assert (counts[0], counts[NUM_BINS // 2], counts[-1], sum(counts)) == (1, 1, 1, 3)


def test_huge_values_are_finite_though_their_sum_is_not() -> None:
    low, high, *_, nonfinite = figures(torch.tensor([3e38, 3e38, -1e38])).tolist()[:7]
    assert nonfinite == 0
    assert high == pytest.approx(3e38)
    assert low == pytest.approx(-1e38)


@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (5, 7), (8, 14), (2, 50), (9, 1)])
@pytest.mark.parametrize("by_column", [False, True])
def test_a_matrix_that_is_worked_on_in_parts_has_the_same_figures(
    shape: tuple[int, int], by_column: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = torch.Generator().manual_seed(sum(shape))
    matrix, origin = (torch.randn(shape, generator=draw) for _ in range(2))
    matrix[0, 0] = 0.0
    if by_column:
        matrix = matrix.T.contiguous().T
    whole = weight_figures(matrix, origin), weight_figures(matrix.T, origin.T)
    monkeypatch.setattr("d2ltui.diagnosis.figures.CHUNK", 14)
    parts = weight_figures(matrix, origin), weight_figures(matrix.T, origin.T)
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, equal_nan=True)
    wide = matrix.double()
    torch.testing.assert_close(norm(matrix), wide.norm())
    torch.testing.assert_close(norm(matrix, origin), (wide - origin.double()).norm(), rtol=1e-6, atol=0.0)
