"""The large matrix products of a concise network, by whichever of PyTorch's two libraries computes them sooner.

On a CPU PyTorch multiplies float32 matrices with MKL. On a processor that is not Intel's MKL leaves the 512-bit
registers alone; oneDNN, which PyTorch carries too, uses them: on a Zen 5 it takes half the time, in the same precision.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# Multiplications of a layer's product from which on that is worth the detour through Python that it costs, and what
# oneDNN takes longer for narrow matrices: of 4 million (256 samples, 64 inputs, 256 units) it is the slower one.
LARGE = 6_000_000
CPU_INFO = Path("/proc/cpuinfo")


@functools.cache
def onednn_is_faster() -> bool:
    """Whether this machine's float32 products are computed sooner by oneDNN: an AMD processor with AVX-512, and MKL.

    It is read, not measured: a measurement might turn out otherwise when a run goes on, whose weights would then
    differ in their last bits.
    """
    both = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    try:
        amd = "AuthenticAMD" in CPU_INFO.read_text()
    except OSError:
        return False
    return both and wide and amd and onednn_works()


def onednn_works() -> bool:
    """Whether PyTorch's operator, which is not part of its public interface, is there and does what it did."""
    x, weight, bias = torch.arange(6.0).view(2, 3), torch.arange(12.0).view(4, 3), torch.arange(4.0)
    gradient = torch.arange(8.0).view(2, 4)
    try:
        results = product(x, weight, bias), product(gradient, weight.T), product(gradient.T, x.T)
    except (AttributeError, RuntimeError, TypeError):
        return False
    # Of small whole numbers every sum is exact.
    expected = x @ weight.T + bias, gradient @ weight, gradient.T @ x
    return all(torch.equal(result, right) for result, right in zip(results, expected, strict=True))


def product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a bᵀ + bias by oneDNN: a (n, k), b (m, k), bias (m,) → (n, m); float32, on a CPU.

    Either matrix may be a transposed view.
    """
    result: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
    return result


class _Product(torch.autograd.Function):
    """`product` with its gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad
        gradient = gradient.contiguous()  # a sum's is one number, seen many times
        return (
            product(gradient, weight.T) if wants_x else None,
            product(gradient.T, x.T) if wants_weight else None,
            gradient.sum(0) if wants_bias else None,
        )


class OneDNNLinear(nn.Linear):
    """An `nn.Linear` whose products oneDNN computes: x (n, num_inputs), float32, on a CPU."""

    def forward(self, input: Tensor) -> Tensor:
        """XWᵀ + b, shape (n, num_outputs)."""
        output: Tensor = _Product.apply(input, self.weight, self.bias)
        return output
