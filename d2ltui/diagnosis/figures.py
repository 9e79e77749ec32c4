"""Figures of many numbers, on the device: moments, shares, histograms, norms.

Everything is widened to double precision: a sum of float32 figures would not be right to the digits that are shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

NUM_BINS = 40
CHUNK = 1 << 22  # values that are widened to float64 at once: 32 MiB


def wide(values: Tensor) -> torch.dtype:
    return torch.float32 if values.device.type == "mps" else torch.float64  # mps has no float64


def _rows(matrix: Tensor) -> tuple[Tensor, ...]:
    """`matrix` in parts of CHUNK values at most, or of one row."""
    if matrix.numel() <= CHUNK:
        return (matrix,)
    width = matrix.numel() // max(1, len(matrix)) if matrix.dim() else 1
    return torch.split(matrix, max(1, CHUNK // max(1, width)))


def norm(matrix: Tensor, origin: Tensor | None = None) -> Tensor:
    """The norm of `matrix` (any shape), or of what it differs by from `origin`; of CHUNK values at once."""
    # Where the cores are busy, torch.linalg.vector_norm's two threads wait for each other: 8 ms of 200,000 values.
    parts: Iterable[Tensor] = _rows(matrix)
    if origin is not None:
        parts = (part - start for part, start in zip(parts, _rows(origin), strict=True))
    return _total([part.to(wide(matrix), copy=True).square_().sum() for part in parts]).sqrt()


def _total(values: list[Tensor]) -> Tensor:
    """Their sum; most often there is one, and an operation takes longer than its numbers."""
    return values[0] if len(values) == 1 else torch.stack(values).sum(dim=0)


@torch.no_grad()
def figures(values: Tensor, flat_ends: tuple[float, float] | None = None) -> Tensor:
    """Minimum, maximum, mean, sd, share of zeros, share outside `flat_ends`, number not finite, NUM_BINS counts.

    One tensor (7 + NUM_BINS,) on the device of `values` (any shape). What is not finite is in nothing but its number;
    where nothing is finite, everything else is 0.
    """
    parts = _finite_parts(values)
    n = sum(len(part) for part in parts)
    zero = torch.zeros((), dtype=wide(values), device=values.device)
    total = squares = zeros = saturated = zero
    if parts:
        total = _total([part.sum(dtype=zero.dtype) for part in parts])
        zeros = n - _total([torch.count_nonzero(part) for part in parts]).to(zero.dtype)
        if flat_ends is not None:
            outside = [torch.count_nonzero((part < flat_ends[0]) | (part > flat_ends[1])) for part in parts]
            saturated = _total(outside).to(zero.dtype)
    mean = total / max(n, 1)
    if parts:
        squares = _total([_widened(part, zero).sub_(mean).square_().sum() for part in parts])
    low, high, counts = _histogram(parts, zero)
    shares = torch.stack((squares, zeros, saturated)) / max(n, 1)
    moments = (low, high, mean, shares[0].sqrt(), shares[1], shares[2], zero + (values.numel() - n))
    return torch.cat((torch.stack(moments), counts))


def _finite_parts(values: Tensor) -> list[Tensor]:
    """What is finite of `values`, flat, in parts of at most CHUNK."""
    parts = []
    flat = values.detach().flatten()
    for part in torch.split(flat, CHUNK) if len(flat) > CHUNK else (flat,):
        # A finite sum has only finite terms, and is much faster to have than a mask.
        parts.append(part if math.isfinite(part.sum()) else part[torch.isfinite(part)])
    return [part for part in parts if len(part)]


def _widened(part: Tensor, zero: Tensor) -> Tensor:
    """A copy in the dtype of `zero`, to be worked on in place: each new tensor of this size costs as much again."""
    return part.to(zero.dtype, copy=True)


def _histogram(parts: list[Tensor], zero: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Minimum, maximum, and counts (NUM_BINS,) in equal bins between them, of which the last includes the maximum."""
    if not parts:
        return zero, zero, zero.new_zeros(NUM_BINS)
    bounds = [torch.aminmax(part) for part in parts]
    if len(bounds) > 1:
        lowest, highest = (torch.stack(ends) for ends in zip(*bounds, strict=True))
        bounds = [torch.aminmax(torch.cat((lowest, highest)))]
    low, high = (bound.to(zero.dtype) for bound in bounds[0])
    # A constant layer's bins have no width: everything is in the first one.
    width = torch.where(high > low, high - low, torch.inf)
    counts = []
    for part in parts:
        index = _widened(part, zero).sub_(low).div_(width).mul_(NUM_BINS).to(torch.int32).clamp_(0, NUM_BINS - 1)
        counts.append(torch.bincount(index, minlength=NUM_BINS))
    return low, high, _total(counts).to(zero.dtype)


def _joined(rows: list[Tensor]) -> Tensor:
    return rows[0] if len(rows) == 1 else torch.cat(rows)


@torch.no_grad()
def weight_figures(weight: Tensor, gradient: Tensor) -> Tensor:
    """Of a layer's weights (units, inputs): the gradient's norm, their own, sign share, and two histograms.

    A row holds what comes into one unit. Each histogram, the gradient's and the weights' own, is its minimum, its
    maximum and NUM_BINS counts: (3 + 2 · (2 + NUM_BINS),).
    """
    parts = _rows(gradient)  # a sum of truth values is counted in 64 bits each
    positive = _joined([(part > 0).sum(dim=1) for part in parts])
    negative = _joined([(part < 0).sum(dim=1) for part in parts])
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
