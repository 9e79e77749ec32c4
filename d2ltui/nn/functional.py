"""The book's formulas on tensors: what the from-scratch models are made of.

Shapes: n is the number of samples, q of classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


def naive_softmax(logits: Tensor) -> Tensor:
    """exp(o) / Σ exp(o) over the last dimension, as it is written (section 4.4): nan where exp overflows.

    `logits` (..., q) → (..., q). For comparison with `softmax`; nothing is trained with it.
    """
    exp = torch.exp(logits)
    return exp / exp.sum(dim=-1, keepdim=True)


def softmax(logits: Tensor) -> Tensor:
    """Probabilities from logits, over the last dimension, for finite logits of any size (section 4.5).

    `logits` (..., q) → (..., q), not negative and summing to 1. Taking the largest logit from all changes
    nothing but that no exp overflows.
    """
    return naive_softmax(logits - logits.amax(dim=-1, keepdim=True).detach())


def log_sum_exp(logits: Tensor) -> Tensor:
    """log Σ exp(o) over the last dimension, for finite logits of any size (section 4.5).

    `logits` (..., q) → (...).
    """
    largest = logits.amax(dim=-1, keepdim=True).detach()
    return largest.squeeze(-1) + torch.log(torch.exp(logits - largest).sum(dim=-1))


def cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The mean of −log softmax(o)ᵧ over a batch (sections 4.4, 4.5).

    `logits` (n, q), `labels` int64 (n,) → scalar, in nats. Through `log_sum_exp`, so that no probability is
    rounded to 0 before its logarithm is taken.

    With `label_smoothing` ε from 0 to 1 the label is no longer all of what is wanted: it has 1 − ε + ε/q of it, and
    every other class ε/q (Szegedy et al., 2016). The loss is −Σ (1 − ε)·yⱼ·log softmax(o)ⱼ − Σ ε/q·log softmax(o)ⱼ.
    """
    wanted = logits.gather(1, labels.unsqueeze(1)).squeeze(1)
    if label_smoothing:
        wanted = (1 - label_smoothing) * wanted + label_smoothing * logits.mean(dim=1)
    return (log_sum_exp(logits) - wanted).mean()


def squared_loss(y_hat: Tensor, y: Tensor) -> Tensor:
    """The mean of ½(ŷ − y)² over a batch (section 3.4). `y_hat`, `y` (n, 1) → scalar."""
    return ((y_hat - y) ** 2 / 2).mean()


def _minus_abs(x: Tensor) -> Tensor:
    # Not -torch.abs(x): its gradient at 0 is 0, and so would be that of sigmoid and tanh.
    return torch.where(x < 0, x, -x)


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e⁻ˣ), of any shape (section 5.1). Only negative powers of e: neither tail overflows."""
    z = torch.exp(_minus_abs(x))
    p = 1 / (1 + z)
    return torch.where(x < 0, z * p, p)


def tanh(x: Tensor) -> Tensor:
    """(1 − e⁻²ˣ) / (1 + e⁻²ˣ), of any shape (section 5.1), exact at 0 and in both tails."""
    u = torch.expm1(2 * _minus_abs(x))
    minus_abs = u / (2 + u)
    return torch.where(x < 0, minus_abs, -minus_abs)


def relu(x: Tensor) -> Tensor:
    """max(0, x), of any shape (section 5.1), with gradient 0 at 0 as torch's."""
    # Asked this way round, nan stays nan: a network that diverges must not look like a dead one.
    return torch.where(x <= 0, 0.0, x)


def leaky_relu(x: Tensor) -> Tensor:
    """x, and 0.01x below 0, of any shape (section 5.1): a ReLU that cannot die."""
    return torch.where(x <= 0, 0.01 * x, x)


def elu(x: Tensor) -> Tensor:
    """x, and eˣ − 1 below 0, of any shape (Clevert et al., 2015)."""
    # The branch that is not taken must not overflow: infinity times a gradient of 0 is nan.
    return torch.where(x <= 0, torch.expm1(torch.where(x <= 0, x, 0.0)), x)


def gelu(x: Tensor) -> Tensor:
    """x · Φ(x), of any shape (Hendrycks and Gimpel, 2016): Φ is the standard normal distribution's function."""
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def silu(x: Tensor) -> Tensor:
    """x · sigmoid(x), of any shape (section 5.1, where it is called swish)."""
    return x * sigmoid(x)


def conv2d(x: Tensor, weight: Tensor, bias: Tensor, padding: int = 0) -> Tensor:
    """Cross-correlation of pictures with kernels, plus a bias (sections 7.2 to 7.4).

    `x` (n, c_in, height, width), `weight` (c_out, c_in, k, k), `bias` (c_out,) → (n, c_out, …, …). As one product of
    matrices: `unfold` puts what lies under a kernel into a column, for each place where it can lie.
    """
    c_out, _, k, _ = weight.shape
    height, width = (size + 2 * padding - k + 1 for size in x.shape[2:])
    columns = torch.nn.functional.unfold(x, k, padding=padding)
    return (weight.reshape(c_out, -1) @ columns + bias[:, None]).reshape(len(x), c_out, height, width)


def avg_pool2d(x: Tensor, k: int) -> Tensor:
    """The mean of each k×k square of pictures (n, c, height, width), of whole squares only (section 7.5)."""
    return x.unfold(2, k, k).unfold(3, k, k).mean(dim=(-2, -1))


def dropout(x: Tensor, p: float, generator: torch.Generator | None = None) -> Tensor:
    """Zeros each number with probability `p` and divides the others by 1 − p, of any shape (section 5.6).

    Draws from `generator`, or from the global one of `x`'s device.

    Raises:
        ValueError: where `p` is not from 0 to 1.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: {p} is not allowed; allowed: a number from 0 to 1")
    if p == 1:
        return torch.zeros_like(x)
    mask = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device) >= p
    return mask * x / (1 - p)


def l2_penalty(w: Tensor) -> Tensor:
    """½‖w‖² (section 3.7). `w` of any shape → scalar."""
    return (w**2).sum() / 2


@torch.no_grad()
def clip_gradients(params: Iterable[Tensor], theta: float) -> None:
    """g ← min(1, θ/‖g‖) · g, where g is the gradient of all parameters together (section 9.5)."""
    gradients = [param.grad for param in params if param.grad is not None]
    norm = torch.sqrt(sum((torch.sum(gradient**2) for gradient in gradients), torch.zeros(())))
    scale = torch.clamp(theta / norm, max=1.0)  # on the device: to ask for it would keep a GPU waiting
    for gradient in gradients:
        gradient *= scale


class SGD:
    """Minibatch stochastic gradient descent: p ← p − η · gradient (section 3.4).

    Weight decay is not its business: from scratch, the penalty is part of what is differentiated.
    """

    def __init__(self, params: Iterable[Tensor], lr: float | Tensor) -> None:
        self.params = list(params)
        self.lr = lr  # a scalar on the parameters' device where a graph reads it

    @torch.no_grad()
    def step(self) -> None:
        """Moves every parameter that has a gradient against it."""
        for param in self.params:
            if param.grad is not None:
                param -= self.lr * param.grad

    def zero_grad(self) -> None:
        """Forgets the gradients."""
        for param in self.params:
            param.grad = None

    def state_dict(self) -> dict[str, Any]:
        """What there is to save beside the parameters."""
        return {"lr": float(self.lr)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from `state_dict()`."""
        self.set_lr(float(state["lr"]))

    def set_lr(self, lr: float) -> None:
        """Another rate from the next step on."""
        if isinstance(self.lr, Tensor):
            self.lr.fill_(lr)
        else:
            self.lr = lr
