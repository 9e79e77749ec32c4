"""The from-scratch formulas against torch's own, and against what they must be."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from d2ltui.nn import functional

# Both sides of 0, 0 itself, the smallest numbers, and both tails.
POINTS = [-1e4, -100.0, -20.0, -1.5, -1e-6, -1e-12, 0.0, 1e-12, 1e-6, 0.3, 2.0, 20.0, 100.0, 1e4]

logits_rows = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=12)


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def value_and_gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().clone().requires_grad_()
    y = function(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    return y.detach(), gradient


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("own", "torchs", "derivative"),
    [
        # σ′ = σ(1 − σ), written so that the reference keeps its digits in the right tail too.
        (functional.sigmoid, torch.sigmoid, lambda x: torch.sigmoid(x) * torch.sigmoid(-x)),
        (functional.tanh, torch.tanh, lambda x: 1 - torch.tanh(x) ** 2),
        (functional.relu, torch.relu, lambda x: (x > 0).double()),
    ],
)
def test_activations_and_their_gradients_are_torchs_everywhere(
    own: Callable[[Tensor], Tensor],
    torchs: Callable[[Tensor], Tensor],
    derivative: Callable[[Tensor], Tensor],
    dtype: torch.dtype,
) -> None:
    x = torch.tensor(POINTS, dtype=dtype)
    y, gradient = value_and_gradient(own, x)
    eps = torch.finfo(dtype).eps
    # e⁻¹⁰⁰ is no normal number in float32: only there may digits be missing, hence the small absolute bound.
    tiny = 10 * torch.finfo(dtype).smallest_normal * eps
    torch.testing.assert_close(y.double(), torchs(x.double()), rtol=40 * eps, atol=tiny)
    # 1 − tanh² itself has no more than absolute accuracy.
    atol = 4 * eps if own is functional.tanh else tiny
    torch.testing.assert_close(gradient.double(), derivative(x.double()), rtol=40 * eps, atol=atol)
    torch.testing.assert_close(gradient, value_and_gradient(torchs, x)[1], rtol=0.0, atol=4 * eps)


@pytest.mark.parametrize(
    ("own", "torchs"),
    [
        (functional.leaky_relu, F.leaky_relu),
        (functional.elu, F.elu),
        (functional.gelu, F.gelu),
        (functional.silu, F.silu),
    ],
)
def test_relus_relatives_are_torchs_and_finite_everywhere(
    own: Callable[[Tensor], Tensor], torchs: Callable[[Tensor], Tensor]
) -> None:
    x = double(POINTS)
    y, gradient = value_and_gradient(own, x)
    expected, slope = value_and_gradient(torchs, x)
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(gradient, slope, rtol=1e-12, atol=1e-15)


def test_gradients_at_zero() -> None:
    zero = double([0.0])
    assert value_and_gradient(functional.sigmoid, zero)[1].item() == 0.25
    assert value_and_gradient(functional.tanh, zero)[1].item() == 1.0
    assert value_and_gradient(functional.relu, zero)[1].item() == 0.0


@pytest.mark.parametrize("function", [functional.sigmoid, functional.tanh, functional.relu])
def test_activations_keep_nan(function: Callable[[Tensor], Tensor]) -> None:
    assert function(double([math.nan, 1.0])).isnan().tolist() == [True, False]


def test_the_books_numbers_of_sigmoid() -> None:
    gradient = value_and_gradient(functional.sigmoid, double([0.0, -8.0]))[1]
    torch.testing.assert_close(gradient, double([0.25, 3.35e-4]), rtol=1e-2, atol=0.0)


@given(logits_rows)
def test_softmax_is_a_distribution_that_keeps_the_order(row: list[float]) -> None:
    logits = double(row)
    p = functional.softmax(logits)
    assert p.isfinite().all()
    assert (p >= 0).all()
    assert p.sum().item() == pytest.approx(1.0, abs=1e-12)
    order = logits.argsort()
    assert (p[order].diff() >= 0).all()
    torch.testing.assert_close(p, torch.softmax(logits, 0), rtol=1e-12, atol=1e-300)


@given(st.lists(st.floats(-300, 300), min_size=1, max_size=12), st.floats(-300, 300))
def test_softmax_is_positive_and_does_not_see_a_shift(row: list[float], shift: float) -> None:
    logits = double(row)
    p = functional.softmax(logits)
    assert (p > 0).all()
    torch.testing.assert_close(functional.softmax(logits + shift), p, rtol=1e-9, atol=1e-300)


def test_softmax_where_the_naive_one_overflows() -> None:
    logits = double([1e4, 0.0])
    assert functional.naive_softmax(logits).isnan().any()
    assert functional.softmax(logits).tolist() == [1.0, 0.0]
    small = double([0.5, -1.0, 2.0])
    torch.testing.assert_close(functional.naive_softmax(small), functional.softmax(small))


@given(logits_rows)
def test_log_sum_exp_is_torchs(row: list[float]) -> None:
    logits = double(row)
    value, gradient = value_and_gradient(functional.log_sum_exp, logits)
    expected, expected_gradient = value_and_gradient(lambda x: torch.logsumexp(x, -1), logits)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-10, atol=1e-300)


@given(st.data(), st.integers(1, 6), st.integers(1, 8), st.sampled_from([1.0, 30.0, 1e4]), st.floats(0, 0.99))
def test_cross_entropy_is_torchs(data: st.DataObject, n: int, q: int, size: float, spread: float) -> None:
    number = st.floats(-size, size)
    logits = double(data.draw(st.lists(st.lists(number, min_size=q, max_size=q), min_size=n, max_size=n)))
    labels = torch.tensor(data.draw(st.lists(st.integers(0, q - 1), min_size=n, max_size=n)))
    value, gradient = value_and_gradient(lambda x: functional.cross_entropy(x, labels, spread), logits)
    expected, expected_gradient = value_and_gradient(
        lambda x: F.cross_entropy(x, labels, label_smoothing=spread), logits
    )
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-11)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-9, atol=1e-15)


def test_smoothed_labels_are_cross_entropy_with_what_is_wanted_spread_out() -> None:
    logits, labels, spread = double([[2.0, -1.0, 0.5, 0.0], [0.0, 3.0, 1.0, -2.0]]), torch.tensor([0, 2]), 0.2
    wanted = (1 - spread) * F.one_hot(labels, 4) + spread / 4
    expected = -(wanted * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(functional.cross_entropy(logits, labels, spread), expected)


def test_cross_entropy_of_huge_logits() -> None:
    logits = double([[1e4, -1e4], [1e4, -1e4]])
    assert functional.cross_entropy(logits, torch.tensor([0, 0])).item() == 0.0
    assert functional.cross_entropy(logits, torch.tensor([1, 1])).item() == 2e4
    assert functional.cross_entropy(logits.float(), torch.tensor([0, 1])).item() == 1e4


def test_regression_losses() -> None:
    y_hat, y = double([[1.0], [4.0]]), double([[0.0], [1.0]])
    assert functional.squared_loss(y_hat, y).item() == 2.5
    assert functional.l2_penalty(double([[3.0, 4.0]])).item() == 12.5


def test_dropout_drops_p_and_keeps_the_mean() -> None:
    x = torch.ones(200_000)
    y = functional.dropout(x, 0.3, torch.Generator().manual_seed(0))
    dropped = (y == 0).double().mean().item()
    assert dropped == pytest.approx(0.3, abs=5 * math.sqrt(0.3 * 0.7 / len(x)))
    torch.testing.assert_close(y[y != 0], torch.full_like(y[y != 0], 1 / 0.7))
    again = functional.dropout(x, 0.3, torch.Generator().manual_seed(0))
    assert torch.equal(y, again)


def test_dropout_draws_from_the_global_generator() -> None:
    x = torch.ones(100)
    torch.manual_seed(3)
    first = functional.dropout(x, 0.5)
    torch.manual_seed(3)
    assert torch.equal(functional.dropout(x, 0.5), first)
    assert not torch.equal(functional.dropout(x, 0.5), first)


def test_dropout_at_its_ends() -> None:
    x = torch.arange(5.0)
    assert torch.equal(functional.dropout(x, 0.0), x)
    assert torch.equal(functional.dropout(x, 1.0), torch.zeros(5))
    with pytest.raises(ValueError, match=r"dropout: 1\.5 is not allowed; allowed: a number from 0 to 1"):
        functional.dropout(x, 1.5)


def test_sgd_steps_against_the_gradient() -> None:
    used, unused = double([1.0, 2.0]).requires_grad_(), double([5.0]).requires_grad_()
    optimizer = functional.SGD([used, unused], lr=0.1)
    (used**2).sum().backward()
    optimizer.step()
    torch.testing.assert_close(used.detach(), double([0.8, 1.6]))
    assert unused.tolist() == [5.0]
    optimizer.zero_grad()
    assert used.grad is None
