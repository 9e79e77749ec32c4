"""Graphs of a machine without a GPU: work is recorded operation by operation, and a launch does what was recorded.

As on a GPU, recording computes nothing that lasts; tensors keep the places that they had then, and a launch overwrites
them; a number that Python gave to an operation stays what it was; what asks for a value cannot be recorded; random
numbers are drawn anew by each launch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from d2ltui.engine.graphs import Work
from d2ltui.nn.accel.compiler import import_compiler


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


class _Recording(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, list[tuple[int, Tensor]]]] = []
        self._own: set[int] = set()  # places that were made while recording
        self._before: dict[int, tuple[Tensor, Any]] = {}  # what others held, before it was overwritten

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket is torch.ops.aten._local_scalar_dense:
            raise RuntimeError("operation not permitted when stream is capturing")
        given = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
        places = {_place(tensor) for tensor in given}
        mutable = func._schema.is_mutable
        if mutable:
            for tensor in given:
                if _place(tensor) not in self._own and _place(tensor) not in self._before:
                    self._before[_place(tensor)] = (tensor, tensor.untyped_storage().clone())
        result = func(*args, **kwargs)
        values = enumerate(tree_flatten(result)[0])
        made = [(at, t) for at, t in values if isinstance(t, Tensor) and t.numel() and _place(t) not in places]
        self._own.update(_place(tensor) for _, tensor in made)
        if mutable or made:  # else it is a view, which follows what it is a view of
            self.operations.append((func, args, kwargs, made))
        return result

    def take_back(self) -> None:
        for tensor, content in self._before.values():
            tensor.untyped_storage().copy_(content)


class StandIn:
    """`graphs.Graphs`, which counts what it is asked for."""

    def __init__(self) -> None:
        import_compiler()  # as those of a GPU do
        self.launches = self.captures = self.waits = 0

    def warm_up(self, work: Work) -> None:
        for _ in range(2):
            work()

    def capture(self, work: Work) -> Work:
        recording = _Recording()
        random = torch.get_rng_state()
        try:
            with recording:
                work()
        finally:
            recording.take_back()
            torch.set_rng_state(random)
        self.captures += 1

        @torch.no_grad()
        def launch() -> None:
            self.launches += 1
            for func, args, kwargs, outputs in recording.operations:
                result = tree_flatten(func(*args, **kwargs))[0]
                for at, place in outputs:
                    place.copy_(result[at])

        return launch

    def mark(self) -> Work:
        def wait() -> None:
            self.waits += 1

        return wait
