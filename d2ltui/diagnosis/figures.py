"""Figures of many numbers, on the device: moments, shares, histograms, norms.

Everything is widened to double precision: a sum of float32 figures would not be right to the digits that are shown.
"""

from __future__ import annotations

import torch
from torch import Tensor

NUM_BINS = 40
CHUNK = 1 << 22  # values that are widened to float64 at once: 32 MiB


def wide(values: Tensor) -> torch.dtype:
    return torch.float32 if values.device.type == "mps" else torch.float64  # mps has no float64


def _rows(matrix: Tensor) -> tuple[Tensor, ...]:
    """`matrix` in parts of CHUNK values at most, or of one row."""
    width = matrix.numel() // max(1, len(matrix)) if matrix.dim() else 1
    return torch.split(matrix, max(1, CHUNK // max(1, width)))


def norm(matrix: Tensor, origin: Tensor | None = None) -> Tensor:
    """The norm of `matrix` (any shape), or of what it differs by from `origin`; of CHUNK values at once."""
    # Where the cores are busy, torch.linalg.vector_norm's two threads wait for each other: 8 ms of 200,000 values.
    origins = _rows(origin) if origin is not None else ()
    total = torch.zeros((), dtype=wide(matrix), device=matrix.device)
    for index, part in enumerate(_rows(matrix)):
        moved = part - origins[index] if origins else part
        total += moved.to(total.dtype, copy=True).square_().sum()
    return total.sqrt()


@torch.no_grad()
def figures(values: Tensor, flat_ends: tuple[float, float] | None = None) -> Tensor:
    """Minimum, maximum, mean, sd, share of zeros, share outside `flat_ends`, number not finite, NUM_BINS counts.

    One tensor (7 + NUM_BINS,) on the device of `values` (any shape). What is not finite is in nothing but its number;
    where nothing is finite, everything else is 0.
    """
    parts = _finite_parts(values)
    n = sum(len(part) for part in parts)
    zero = torch.zeros((), dtype=wide(values), device=values.device)
    total, squares, zeros, saturated = (zero.clone() for _ in range(4))
    for part in parts:
        total += part.sum(dtype=zero.dtype)
        zeros += len(part) - torch.count_nonzero(part)
        if flat_ends is not None:
            saturated += torch.count_nonzero((part < flat_ends[0]) | (part > flat_ends[1]))
    mean = total / max(n, 1)
    for part in parts:
        squares += _widened(part, zero).sub_(mean).square_().sum()
    low, high, counts = _histogram(parts, zero)
    shares = torch.stack((squares, zeros, saturated)) / max(n, 1)
    moments = (low, high, mean, shares[0].sqrt(), shares[1], shares[2], zero + (values.numel() - n))
    return torch.cat((torch.stack(moments), counts))


def _finite_parts(values: Tensor) -> list[Tensor]:
    """What is finite of `values`, flat, in parts of at most CHUNK."""
    parts = []
    for part in torch.split(values.detach().flatten(), CHUNK):
        # A finite sum has only finite terms, and is much faster to have than a mask.
        parts.append(part if bool(torch.isfinite(part.sum())) else part[torch.isfinite(part)])
    return [part for part in parts if len(part)]


def _widened(part: Tensor, zero: Tensor) -> Tensor:
    """A copy in the dtype of `zero`, to be worked on in place: each new tensor of this size costs as much again."""
    return part.to(zero.dtype, copy=True)


def _histogram(parts: list[Tensor], zero: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Minimum, maximum, and counts (NUM_BINS,) in equal bins between them, of which the last includes the maximum."""
    counts = torch.zeros(NUM_BINS, dtype=torch.int64, device=zero.device)
    if not parts:
        return zero, zero, counts.to(zero.dtype)
    bounds = [torch.aminmax(part) for part in parts]
    low = torch.stack([bound.min for bound in bounds]).min().to(zero.dtype)
    high = torch.stack([bound.max for bound in bounds]).max().to(zero.dtype)
    # A constant layer's bins have no width: everything is in the first one.
    width = torch.where(high > low, high - low, torch.inf)
    for part in parts:
        index = _widened(part, zero).sub_(low).div_(width).mul_(NUM_BINS).to(torch.int32).clamp_(0, NUM_BINS - 1)
        counts += torch.bincount(index, minlength=NUM_BINS)
    return low, high, counts.to(zero.dtype)


@torch.no_grad()
def weight_figures(weight: Tensor, gradient: Tensor) -> Tensor:
    """Of a layer's weights (units, inputs): the gradient's norm, their own, sign share, and two histograms.

    A row holds what comes into one unit. Each histogram, the gradient's and the weights' own, is its minimum, its
    maximum and NUM_BINS counts: (3 + 2 · (2 + NUM_BINS),).
    """
    parts = _rows(gradient)  # a sum of truth values is counted in 64 bits each
    positive = torch.cat([(part > 0).sum(dim=1) for part in parts])
    negative = torch.cat([(part < 0).sum(dim=1) for part in parts])
    signed = positive + negative
    share = torch.maximum(positive, negative).to(wide(weight)) / signed.clamp(min=1)
    having = (signed > 0).sum()
    sign_share = torch.where(having > 0, share.sum() / having.clamp(min=1), torch.nan)
    norms = torch.stack((norm(gradient), norm(weight), sign_share))
    parts_of_figures = [norms]
    for values in (gradient, weight):
        low, high, counts = _histogram(_finite_parts(values), norms.new_zeros(()))
        parts_of_figures += [torch.stack((low, high)), counts]
    return torch.cat(parts_of_figures)


@torch.no_grad()
def brief_figures(values: Tensor, flat_ends: tuple[float, float] | None = None) -> Tensor:
    """`figures` of outputs (m, units) without counts, in their own precision: (7,), in an eighth of the time."""
    total = values.sum()
    if not bool(torch.isfinite(total)):
        return figures(values, flat_ends)[:7].to(total.dtype)
    # Counting truth values, and torch.std_mean, take ten times as long as sums and products of numbers.
    n = values.numel()
    mean = total / n
    squares = torch.dot(centred := (values - mean).flatten(), centred)
    saturated = total.new_zeros(())
    if flat_ends is not None:
        saturated = (values - values.clamp(*flat_ends)).sign_().abs_().sum() / n
    zeros = 1 - values.sign().abs_().sum() / n
    shares = (zeros, saturated, total.new_zeros(()))
    return torch.stack((values.min(), values.max(), mean, (squares / n).sqrt(), *shares))


@torch.no_grad()
def brief_norm(values: Tensor) -> Tensor:
    """The norm of `values` (any shape), in their own precision where it is finite there."""
    flat = values.flatten()
    square = torch.dot(flat, flat)
    return square.sqrt() if bool(torch.isfinite(square)) else norm(values).to(square.dtype)
