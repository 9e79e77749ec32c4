"""Graphs of training steps: what one network's steps and those of many at once have in common.

A graph holds one step or `MOST` of them, with everything that belongs to them: samples are gathered by an index that
lies in a fixed place, what is told of the steps is written into fixed places. Between two launches only the index is
filled in, and what the launch before has written is copied away. The last batch of an epoch, where it is smaller, has a
graph of its own. What recording them takes is taken back, and each is compared with the steps that it was made of
before it is relied on: the training is the same, step by step, as one without graphs.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from d2ltui.engine.graphs import CannotCaptureError, Graphs, NothingWaits, Work
from d2ltui.spec.language import _

MOST = 8  # steps of a launch: on an H200, more of them gain nothing
LAUNCH = 0.01  # seconds that a launch takes at most, where it holds more than one step
AHEAD = 2  # launches that may wait while one is computed: with it, a request is answered after three of them
TIMED = 8  # steps by which it is measured how long one takes
# Of what the steps have changed, how much a graph may change otherwise: sums in another order are rounded otherwise.
ALIKE = 1e-3
ROUNDING = 4 * torch.finfo(torch.float32).eps  # a change that is no more than this share of a tensor is none


class Laid(NamedTuple):
    """Work of `steps` steps on batches of `size` samples, and its fixed places.

    `places` (steps, ..., size) are the samples' numbers, `results` whatever is told of the steps.
    """

    steps: int
    size: int
    work: Work
    places: Tensor
    results: tuple[Tensor, ...]


class Recorded(NamedTuple):
    """A graph of what was laid out. What it reads and writes is kept by it."""

    laid: Laid
    launch: Work


class Launches:
    """The graphs of a training's steps, recorded when this is made.

    Args:
        graphs: the device's.
        lay: lays out the work of a number of steps on batches of a size.
        tensors: all that a step changes, in an order that stays.
        device: where they are.
        samples, batch_size: of an epoch.
        most: how many steps a launch may have.
        forget: lets go of what a step leaves in memory that belongs to it: gradients.

    Raises:
        Exception: where that cannot be done; the tensors and PyTorch's random numbers are as they were before.
    """

    def __init__(
        self,
        graphs: Graphs,
        lay: Callable[[int, int], Laid],
        tensors: Callable[[], Sequence[Tensor]],
        *,
        device: torch.device,
        samples: int,
        batch_size: int,
        most: int,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        # `lay` and `forget` are not kept: they belong to whoever keeps this, and graphs would never be freed at once.
        self._graphs = graphs
        self._full, rest = divmod(samples, batch_size)
        self._marks: deque[Work] = deque()
        self._one = self._many = self._last = None
        before = _State(tensors, device)
        try:
            if self._full:
                self._one = self._record(lay(1, batch_size), forget, warm=True)
                many = min(MOST, int(LAUNCH / self._seconds(self._one)), most, self._full)
                self._many = self._record(lay(many, batch_size), forget) if many > 1 else None
            self._last = self._record(lay(1, rest), forget, warm=True) if rest else None
            before.restore()
            for recorded in (self._one, self._many, self._last):
                if recorded is not None:
                    self._compare(recorded, samples, before, tensors, forget)
        finally:
            forget()
            before.restore()
        before.check()

    def next(self, done: int, most: Callable[[], float]) -> Recorded | None:
        """What to launch after `done` steps of an epoch, `most` steps at most; None at its end."""
        left = self._full - done
        if self._many is not None and self._many.laid.steps <= left and self._many.laid.steps <= most():
            return self._many
        if left > 0:
            return self._one
        return self._last if left == 0 else None

    def launched(self) -> None:
        """Wait, where too many launches have not been computed yet."""
        self._marks.append(self._graphs.mark())
        if len(self._marks) > AHEAD:
            self._marks.popleft()()

    def _record(self, laid: Laid, forget: Callable[[], None], *, warm: bool = False) -> Recorded:
        if warm:
            with NothingWaits():  # type: ignore[no-untyped-call]
                laid.work()
            forget()
            self._graphs.warm_up(laid.work)
        forget()
        launch = self._graphs.capture(laid.work)
        forget()
        return Recorded(laid, launch)

    def _seconds(self, recorded: Recorded) -> float:
        """That one launch takes."""
        recorded.launch()
        self._graphs.mark()()
        began = time.perf_counter()
        for __ in range(TIMED):
            recorded.launch()
        self._graphs.mark()()
        return max(1e-6, (time.perf_counter() - began) / TIMED)

    def _compare(
        self,
        recorded: Recorded,
        samples: int,
        before: _State,
        tensors: Callable[[], Sequence[Tensor]],
        forget: Callable[[], None],
    ) -> None:
        """That a launch does what its work does, with other samples than those it was recorded with.

        Raises:
            CannotCaptureError: where it does something else.
        """
        places = recorded.laid.places
        places.copy_((torch.arange(places.numel(), device=places.device) * 7 + 3).view(places.shape) % samples)
        start = [tensor.detach().clone() for tensor in tensors()]
        found = []
        for work in (recorded.laid.work, recorded.launch):
            work()
            self._graphs.mark()()
            found.append([one.detach().clone() for one in (*tensors(), *recorded.laid.results)])
            forget()
            before.restore()
        nothing = [torch.zeros_like(one) for one in recorded.laid.results]
        for wanted, got, was in zip(*found, [*start, *nothing], strict=True):
            if not _alike(wanted.double(), got.double(), was.double()):
                raise CannotCaptureError(_("as a graph, a step computed something else"))


def _alike(wanted: Tensor, got: Tensor, was: Tensor) -> bool:
    """Whether `got` is `wanted`, as measured by how far that is from what there was; nan is as good as nan."""
    broken = ~torch.isfinite(wanted)
    if not torch.equal(broken, ~torch.isfinite(got)):
        return False
    wanted, got, was = (one.masked_fill(broken, 0) for one in (wanted, got, was))
    return bool((wanted - got).norm() <= ALIKE * (wanted - was).norm() + ROUNDING * wanted.norm())


class _State:
    """All that a step changes, as it is now, and PyTorch's random numbers."""

    def __init__(self, tensors: Callable[[], Sequence[Tensor]], device: torch.device) -> None:
        self._tensors, self._device = tensors, device
        self._kept = [(tensor, tensor.detach().clone()) for tensor in tensors()]
        self._random = torch.get_rng_state()
        self._random_cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    @torch.no_grad()
    def restore(self) -> None:
        """To the bit, in the same places."""
        for tensor, value in self._kept:
            tensor.copy_(value)
        torch.set_rng_state(self._random)
        if self._random_cuda is not None:
            torch.cuda.set_rng_state(self._random_cuda, self._device)

    def check(self) -> None:
        """That nothing has come that was not there before.

        Raises:
            CannotCaptureError: where something has, whose first value is not known.
        """
        if [id(tensor) for tensor in self._tensors()] != [id(tensor) for tensor, __ in self._kept]:
            raise CannotCaptureError(_("a step puts other tensors in the place of the network's or the optimiser's"))
