"""Blocks of samples on their way to a device that does not hold the data set: one is used, the next one comes.

A thread gathers the next block into pinned memory, from which alone a GPU copies while it computes, and has it copied
on a stream of its own. The steps on the present block are neither kept waiting by the gathering nor by the copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Protocol, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
Arrived = Callable[[], Tensor]


class Transfer(Protocol):
    """Brings samples to a device."""

    def begin(self, source: Tensor, at: Tensor) -> Arrived:
        """Have the rows `at` (n,) of `source` on their way; what is returned has them, for whoever computes next.

        Called by another thread than what is returned, which may be called only once.
        """


class Pinned:
    """`Transfer` to a CUDA device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def begin(self, source: Tensor, at: Tensor) -> Arrived:
        """See `Transfer`."""
        torch.cuda.set_device(self._device)  # of this thread: pinned memory belongs to the device that is current
        pinned = torch.empty((len(at), *source.shape[1:]), dtype=source.dtype, pin_memory=True)
        torch.index_select(source, 0, at, out=pinned)
        with torch.cuda.stream(self._stream):
            block = pinned.to(self._device, non_blocking=True)
            copied = self._stream.record_event()

        def arrived() -> Tensor:
            # The steps wait for the copy, on the device; the memory is not given away before they are done.
            steps = torch.cuda.current_stream(self._device)
            steps.wait_event(copied)
            block.record_stream(steps)
            return block

        return arrived


def transfer_to(device: torch.device, source: Tensor) -> Transfer | None:
    """What brings samples of `source` to `device`; None where they are there, or nothing can be gained."""
    return _pinned(device) if device.type == "cuda" and source.device.type == "cpu" else None


@cache
def _pinned(device: torch.device) -> Pinned:
    """One for each device: PyTorch keeps a stream's memory for it, and an epoch's stream would leave its own behind."""
    return Pinned(device)


def ahead(makers: Iterable[Callable[[], T]]) -> Iterator[T]:
    """What `makers` make, in order: each is called in a thread while what the one before has made is in use.

    No more than one is made ahead. What one raises passes, where its result would have come.
    """
    with ThreadPoolExecutor(1, "d2ltui-blocks") as pool:
        coming: Future[T] | None = None
        for make in makers:
            present, coming = coming, pool.submit(make)
            if present is not None:
                yield present.result()
        if coming is not None:
            yield coming.result()
