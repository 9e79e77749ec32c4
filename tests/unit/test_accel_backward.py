"""Backward passes straight through PyTorch's engine: its gradients, to the bit, and its errors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from d2ltui.nn.accel import backward as module
from d2ltui.nn.accel.backward import backward


@pytest.fixture(autouse=True)
def _looked_at_anew() -> Iterator[None]:
    module._engine_works.cache_clear()
    yield
    module._engine_works.cache_clear()


def _network(dtype: torch.dtype) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).to(dtype)
    return network, torch.randn(11, 5, dtype=dtype), torch.randint(0, 3, (11,))


def _gradients(dtype: torch.dtype, *, direct: bool, times: int = 1) -> list[Tensor]:
    network, x, y = _network(dtype)
    for _ in range(times):
        loss = nn.functional.cross_entropy(network(x), y)
        if direct:
            backward(loss)
        else:
            loss.backward()
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("times", [1, 3])
def test_gradients_are_those_of_loss_backward(dtype: torch.dtype, times: int) -> None:
    ours, theirs = (_gradients(dtype, direct=direct, times=times) for direct in (True, False))
    assert len(ours) == 4
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert module._engine_works()
    assert module._one(dtype) == 1  # not changed by what has begun with it


def test_a_parameter_that_is_the_loss_has_a_gradient_of_its_own() -> None:
    weight = torch.tensor(2.0, requires_grad=True)
    backward(weight)
    assert weight.grad is not None
    weight.grad.mul_(5)
    assert module._one(torch.float32) == 1


def test_errors_are_those_of_loss_backward() -> None:
    network, x, y = _network(torch.float32)
    loss = nn.functional.cross_entropy(network(x), y)
    backward(loss)
    with pytest.raises(RuntimeError, match="second time"):
        backward(loss)
    with pytest.raises(RuntimeError, match="scalar outputs"):
        backward(network(x))
    with pytest.raises(RuntimeError, match="does not require grad"):
        backward(torch.tensor(1.0))


def test_a_version_of_pytorch_with_another_engine_takes_the_usual_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(*arguments: object) -> None:
        raise TypeError("run_backward() takes 3 positional arguments")

    monkeypatch.setattr(module, "_run", other)
    assert not module._engine_works()
    module._engine_works.cache_clear()
    expected = _gradients(torch.float32, direct=False)
    assert all(torch.equal(a, b) for a, b in zip(_gradients(torch.float32, direct=True), expected, strict=True))
