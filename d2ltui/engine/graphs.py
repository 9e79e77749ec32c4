"""Graphs of a device: work that is recorded once, and launched as often as is wanted, all of it at once.

A small network's step is some fifty kernels, and launching each of them takes the processor longer than a GPU takes to
compute it. As a graph they are one launch. What a graph reads and writes has fixed places in memory, and every number
that Python handed to a kernel while it was recorded stays what it was then.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from d2ltui.nn.accel.compiler import import_compiler
from d2ltui.spec import collector
from d2ltui.spec.language import _

Work = Callable[[], None]
# An environment variable: with "off", steps are not recorded.
SWITCH = "D2LTUI_CAPTURE"
# The kernel that waits for a value, or whose output's shape only the device knows: neither can be in a graph.
_WAITING = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)


class CannotCaptureError(Exception):
    """The work cannot be recorded; the message says why, in words that follow "because"."""


class Graphs(Protocol):
    """What captured steps need of a device. Everything is to be called by one thread."""

    def warm_up(self, work: Work) -> None:
        """Do `work` some times, so that what is made at the first time is there before it is recorded."""

    def capture(self, work: Work) -> Work:
        """Record `work`, which has been warmed up; nothing is computed. What is returned launches it.

        What `work` draws from PyTorch's own generator of the device is drawn anew by each launch.

        Raises:
            Exception: where that cannot be done; the device is as it was before.
        """

    def mark(self) -> Work:
        """A mark behind all that has been launched; what is returned waits until the device has passed it."""


class NothingWaits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, what would wait for a device, or move data from another one, raises CannotCaptureError.

    It sees its own thread's work, and the backward passes that this thread asks for. A graph that is recorded would be
    broken by such a call, and some of the device's state with it: this says so before.
    """

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if any(tag in func.tags for tag in _WAITING):
            raise CannotCaptureError(
                _("a step waits for a value that the device computes ({name})").format(name=_name(func))
            )
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in (torch.ops.aten._to_copy, torch.ops.aten.copy_):
            source = args[1] if func.overloadpacket is torch.ops.aten.copy_ else args[0]
            if isinstance(result, Tensor) and source.device != result.device:
                raise CannotCaptureError(
                    _("a step copies from {source} to {target}").format(source=source.device, target=result.device)
                )
        return result


def _name(func: Any) -> str:
    name = func.overloadpacket.__name__
    return "item" if name == "_local_scalar_dense" else str(name)


class CudaGraphs:
    """CUDA graphs on `device`. Their temporary memory is shared: one is done before the next one begins."""

    TIMES = 3  # cuBLAS, cuDNN and the allocator have what they want after two

    def __init__(self, device: torch.device) -> None:
        import_compiler()  # which the first NothingWaits would, while the run's clock goes
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def warm_up(self, work: Work) -> None:
        """On the stream on which it is recorded later: libraries keep a handle for each."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            for __ in range(self.TIMES):
                work()
        current.wait_stream(self._stream)

    def capture(self, work: Work) -> Work:
        """See `Graphs`."""
        current = torch.cuda.current_stream(self._device)
        index = self._device.index if self._device.index is not None else torch.cuda.current_device()
        generator = torch.cuda.default_generators[index]
        as_it_was = generator.clone_state()
        graph = torch.cuda.CUDAGraph()
        collector.hold()  # a tensor or a graph that is freed meanwhile would end the recording
        try:
            # Other threads may use the device meanwhile: only this one's calls are judged.
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                work()
        except Exception:
            # PyTorch leaves the stream of a recording that has failed current, and the generator within it.
            torch.cuda.set_stream(current)
            generator.graphsafe_set_state(as_it_was)
            graph.reset()
            self._pool = torch.cuda.graph_pool_handle()
            raise
        finally:
            collector.release()
        return graph.replay

    def mark(self) -> Work:
        """See `Graphs`."""
        # Blocking: the processor has other things to do than to ask again and again.
        event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event.synchronize


def graphs_of(device: torch.device) -> Graphs | None:
    """Those of a device; None where there are none, or nobody wants them."""
    if device.type != "cuda" or os.environ.get(SWITCH, "").lower() == "off":
        return None
    return CudaGraphs(device)


def slower(why: str) -> str:
    """A sentence that says why steps are not taken as graphs though the device has them."""
    return _("each kernel is launched for itself, which is slower than a graph of the step: {first}").format(first=why)
