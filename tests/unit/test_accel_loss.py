"""The mean squared error from PyTorch's own kernel: its value and gradients, to the bit, and its complaints."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from d2ltui.nn.accel import loss as module
from d2ltui.nn.accel.loss import mse_loss


@given(st.integers(1, 40), st.integers(1, 3), st.sampled_from([torch.float32, torch.float64]), st.integers(0, 99))
def test_value_and_gradient_are_those_of_torch(n: int, outputs: int, dtype: torch.dtype, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    output, y = (torch.randn(n, outputs, dtype=dtype, generator=generator) for _ in range(2))
    found = []
    for loss in (mse_loss, nn.functional.mse_loss):
        of = output.clone().requires_grad_()
        value = loss(of, y)
        value.backward()  # type: ignore[no-untyped-call]
        assert of.grad is not None
        found.append((value.detach(), of.grad))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*found, strict=True))


def test_shapes_that_differ_are_told_by_torch() -> None:
    with pytest.warns(UserWarning, match="target size"):
        mse_loss(torch.zeros(3, 1), torch.zeros(3))
    with pytest.raises(RuntimeError, match="must match"), pytest.warns(match="target size"):
        mse_loss(torch.zeros(3, 1), torch.zeros(2, 2))


@pytest.fixture
def looked_at_anew() -> Iterator[None]:
    module._kernel.cache_clear()
    yield
    module._kernel.cache_clear()


def _refuses(*_: object) -> Tensor:
    raise TypeError("mse_loss() takes other arguments now")


@pytest.mark.usefixtures("looked_at_anew")
@pytest.mark.parametrize("kernel", [_refuses, lambda *_: torch.tensor(7.0)], ids=["other arguments", "other values"])
def test_another_kernel_at_its_place_is_not_used(
    monkeypatch: pytest.MonkeyPatch, kernel: Callable[..., Tensor]
) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(torch._C._nn, "mse_loss", kernel)
        assert module._kernel() is None
    assert mse_loss(torch.ones(2, 1), torch.zeros(2, 1)) == 1
