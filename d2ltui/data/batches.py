"""The one source of minibatches, for training and evaluation, from scratch and concise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from d2ltui.data.streaming import Arrived, Transfer, ahead, transfer_to

# A block of batches is gathered at once, so that a step costs no index work and nothing big is copied whole.
# On the CPU it has to stay in the processor's cache: a block of 16 MiB takes longer than batch by batch, one
# of 1 to 6 MiB about half as long. Of two blocks of 4 MiB, glibc gives the memory back each time, for another 20,000
# page faults an epoch of Fashion-MNIST. A GPU wants few kernels, and has nothing to gain from small blocks.
BLOCK_BYTES_CPU = 2 * 2**20
BLOCK_BYTES_GPU = 32 * 2**20
# Views are made for a whole block: this many at most, so that a block of small batches starts without delay.
BLOCK_BATCHES = 1024


def data_iter(
    features: Tensor,
    labels: Tensor,
    batch_size: int,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    start: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch: every sample exactly once, in batches; the last one may be smaller (section 3.3).

    With `generator` the order is a new random permutation, drawn from it when the first batch is asked for;
    without, the order is the data's own. `device` is where the batches shall be, None for where `features`
    (n, ...) and `labels` (n, ...) are. `start` batches are left out without any work: to resume an epoch, put
    the generator into the state that it had when the epoch began.

    Yields:
        features (batch_size, ...), labels (batch_size, ...): views of a block of batches.

    Raises:
        ValueError: where the lengths differ, or `batch_size` or `start` is too small.
    """
    n = len(features)
    if len(labels) != n:
        raise ValueError(f"labels: {len(labels)} samples are not allowed; allowed: {n}, as many as features")
    if batch_size < 1 or start < 0:
        name, value, low = ("batch_size", batch_size, 1) if batch_size < 1 else ("start", start, 0)
        raise ValueError(f"{name}: {value} is not allowed; allowed: a whole number, {low} or more")
    order = None
    if generator is not None:
        order = draw_order(n, generator, features.device)
    target = features.device if device is None else torch.device(device)
    size = batch_size * _batches_a_block(features, labels, batch_size, target)
    parts = ((low, min(low + size, n)) for low in range(start * batch_size, n, size))
    transfer = transfer_to(target, features)
    if transfer is not None:
        at = torch.arange(n) if order is None else order
        blocks = _streamed(transfer, [(features, at), (labels, at)], parts)
    else:
        blocks = ([_block(tensor, order, *part, target) for tensor in (features, labels)] for part in parts)
    for x, y in blocks:
        yield from zip(torch.split(x, batch_size), torch.split(y, batch_size), strict=True)


def _streamed(
    transfer: Transfer, sources: Sequence[tuple[Tensor, Tensor]], parts: Iterable[tuple[int, int]]
) -> Iterator[list[Tensor]]:
    """Block by block, of each of `sources` and its order, the samples from `low` to `high`."""

    def begin(part: tuple[int, int]) -> list[Arrived]:
        return [transfer.begin(source, order[slice(*part)]) for source, order in sources]

    for arriving in ahead(partial(begin, part) for part in parts):
        yield [arrived() for arrived in arriving]


def draw_order(n: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """A new random order of `n` samples, drawn from `generator`, on `device`: int64 (n,)."""
    return torch.randperm(n, generator=generator, device=generator.device).to(device)


def stacked_iter(
    features: Sequence[Tensor],
    labels: Sequence[Tensor],
    batch_size: int,
    generators: Sequence[torch.Generator],
    device: torch.device | str | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch of D data sets of one size at once, each in the order that `data_iter` takes with its generator.

    `features` and `labels` have D entries, which may be the same tensors.

    Yields:
        features (D, batch_size, ...), labels (D, batch_size, ...); the last batch may be smaller.
    """
    n = len(features[0])
    orders = [torch.randperm(n, generator=generator, device=generator.device) for generator in generators]
    target = features[0].device if device is None else torch.device(device)
    batches = _batches_a_block(features[0], labels[0], batch_size * len(features), target)
    size = batch_size * batches
    parts = ((low, min(low + size, n)) for low in range(0, n, size))
    sources = [(source, order) for kind in (features, labels) for source, order in zip(kind, orders, strict=True)]
    transfer = transfer_to(target, features[0])
    if transfer is not None:
        blocks = _streamed(transfer, sources, parts)
    else:
        blocks = ([_block(f, o.to(f.device), *part, target) for f, o in sources] for part in parts)
    for block in blocks:
        both = torch.stack(block[: len(features)]), torch.stack(block[len(features) :])
        yield from zip(*(torch.split(one, batch_size, dim=1) for one in both), strict=True)


def _batches_a_block(features: Tensor, labels: Tensor, batch_size: int, device: torch.device) -> int:
    sample = sum(t[:1].numel() * t.element_size() for t in (features, labels))
    size = BLOCK_BYTES_CPU if device.type == "cpu" else BLOCK_BYTES_GPU
    return max(1, min(BLOCK_BATCHES, size // max(1, sample * batch_size)))


def _block(source: Tensor, order: Tensor | None, low: int, high: int, device: torch.device) -> Tensor:
    """Samples `low` to `high` of the order, on `device`."""
    moves = device.type != source.device.type or device.index not in (None, source.device.index)
    if order is None:
        block = source[low:high]
        return block.to(device, non_blocking=True) if moves else block
    block = source.index_select(0, order[low:high])
    return block.to(device, non_blocking=True) if moves else block
