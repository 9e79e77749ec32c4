"""The products that oneDNN computes: the same numbers and gradients as nn.Linear's, where they are faster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from d2ltui import nn as models
from d2ltui.nn.accel import onednn
from d2ltui.nn.accel.onednn import OneDNNLinear
from d2ltui.nn.concise import ConciseNetwork
from d2ltui.spec.config import RunConfig, resolve

needs_onednn = pytest.mark.skipif(not onednn.onednn_works(), reason="this PyTorch has no oneDNN")


def layers(num_inputs: int, num_outputs: int) -> tuple[OneDNNLinear, nn.Linear]:
    """One layer of each class, in float32 and, with the same values, in float64."""
    torch.manual_seed(0)
    ours = OneDNNLinear(num_inputs, num_outputs)
    reference = nn.Linear(num_inputs, num_outputs, dtype=torch.float64)
    reference.load_state_dict(ours.state_dict())
    return ours, reference


def close(ours: Tensor | None, reference: Tensor | None) -> None:
    assert ours is not None
    assert reference is not None
    assert ours.dtype == torch.float32
    # Of 1,000 products, as their sum is rounded in single precision; half precision is off by .1.
    torch.testing.assert_close(ours, reference.float(), rtol=1e-5, atol=2e-4)


@needs_onednn
@pytest.mark.parametrize("shape", [(256, 784, 256), (96, 784, 10), (1, 3, 2), (7, 1, 1), (1000, 64, 33)])
def test_values_and_gradients_are_those_of_linear_in_double_precision(shape: tuple[int, int, int]) -> None:
    n, num_inputs, num_outputs = shape
    ours, reference = layers(num_inputs, num_outputs)
    x = torch.randn(n, num_inputs, requires_grad=True)
    x_reference = x.detach().double().requires_grad_()
    direction = torch.randn(n, num_outputs)
    output, expected = ours(x), reference(x_reference)
    close(output, expected)
    output.backward(direction)
    expected.backward(direction.double())
    close(x.grad, x_reference.grad)
    close(ours.weight.grad, reference.weight.grad)
    close(ours.bias.grad, reference.bias.grad)
    assert ours.weight.grad is not None
    assert ours.weight.grad.is_contiguous()


@needs_onednn
def test_views_of_any_layout_are_taken() -> None:
    """A weight by column, a batch that is part of a wider tensor, and the gradient of a sum, which has stride 0."""
    ours, reference = layers(40, 24)
    ours.weight = nn.Parameter(ours.weight.detach().T.contiguous().T)
    x = torch.randn(40, 64).T[8:40]
    ours(x).sum().backward()
    reference(x.double()).sum().backward()
    close(ours(x), reference(x.double()))
    close(ours.weight.grad, reference.weight.grad)
    close(ours.bias.grad, reference.bias.grad)


@needs_onednn
def test_only_the_gradients_that_are_asked_for_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _ = layers(5, 4)
    x = torch.randn(3, 5)
    ours.weight.requires_grad_(False)
    output = ours(x)
    monkeypatch.setattr(onednn, "product", lambda *tensors: pytest.fail("a product that nobody wants"))
    output.sum().backward()
    assert ours.weight.grad is None
    assert ours.bias.grad is not None


@needs_onednn
def test_a_network_of_them_follows_the_path_of_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    config = resolve({"dataset": "fashion-mnist", "hidden": "32", "lr": 0.1})
    x, y = torch.rand(256, 784), torch.arange(256) % 10
    ends = []
    for faster in (True, False):
        monkeypatch.setattr("d2ltui.nn.accel.onednn.onednn_is_faster", lambda faster=faster: faster)
        network = models.build(config)
        optimizer = models.make_optimizer(config, network)
        for _ in range(20):
            optimizer.zero_grad()
            network.loss(network(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        ends.append(network)
    assert kinds(ends[0]) == [OneDNNLinear, nn.Linear]
    assert kinds(ends[1]) == [nn.Linear, nn.Linear]
    for ours, plain in zip(ends[0].parameters(), ends[1].parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)


def kinds(network: models.Network) -> list[type[nn.Linear]]:
    assert isinstance(network, ConciseNetwork)
    return [type(module) for module in network.children() if isinstance(module, nn.Linear)]


@pytest.mark.parametrize(
    ("options", "dtype", "device", "expected"),
    [
        ({}, torch.float32, "cpu", [OneDNNLinear, nn.Linear]),
        ({"batch_size": 4}, torch.float32, "cpu", [nn.Linear, nn.Linear]),
        ({}, torch.float64, "cpu", [nn.Linear, nn.Linear]),
        ({}, torch.float32, "meta", [nn.Linear, nn.Linear]),
        ({"model": "softmax"}, torch.float32, "cpu", [nn.Linear]),
    ],
)
def test_large_products_in_single_precision_on_a_cpu_alone(
    options: dict[str, object],
    dtype: torch.dtype,
    device: str,
    expected: list[type[nn.Linear]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("d2ltui.nn.accel.onednn.onednn_is_faster", lambda: True)
    config: RunConfig = resolve({"dataset": "fashion-mnist", **options})
    assert kinds(models.build(config, dtype=dtype, device=device)) == expected


@pytest.mark.parametrize(
    ("vendor", "capability", "mkl", "faster"),
    [
        ("AuthenticAMD", "AVX512", True, True),
        ("GenuineIntel", "AVX512", True, False),
        ("AuthenticAMD", "AVX2", True, False),
        ("AuthenticAMD", "AVX512", False, False),
        (None, "AVX512", True, False),
    ],
)
@needs_onednn
def test_they_are_faster_where_mkl_leaves_the_wide_registers_alone(
    vendor: str | None, capability: str, mkl: bool, faster: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    info = tmp_path / "cpuinfo"
    if vendor is not None:
        info.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\n")
    monkeypatch.setattr(onednn, "CPU_INFO", info)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: mkl)
    assert onednn.onednn_is_faster.__wrapped__() is faster


def _raises(error: Exception) -> Callable[..., Tensor]:
    def operator(*arguments: object) -> Tensor:
        raise error

    return operator


def _ignores_strides(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Right where `b` lies row by row, and as if it did where it does not."""
    rows = b if b.is_contiguous() else b.T.reshape(b.shape)
    return nn.functional.linear(a, rows, bias)


OTHERS: dict[str, Callable[..., Tensor]] = {
    "gone": _raises(AttributeError()),
    "refuses": _raises(RuntimeError()),
    "another signature": _raises(TypeError()),
    "another meaning": lambda *_: torch.zeros(2, 4),
    "ignores strides": _ignores_strides,
}


@pytest.mark.parametrize("operator", OTHERS.values(), ids=OTHERS)
def test_an_operator_that_is_not_what_it_was_is_not_used(
    operator: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onednn, "product", operator)
    assert not onednn.onednn_works()
