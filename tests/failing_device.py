"""A GPU that fails, or whose memory runs out, while networks are trained, on a machine that has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from d2ltui.engine.population import Population

BROKEN = "CUDA error: an illegal memory access was encountered"
FAILED = f"{BROKEN}; start d2ltui again, for a process in which that has happened computes no more on a GPU"


class Device:
    """One that fails at the end of an epoch of the `at`th population, and from then on whatever it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, epoch: int = 2) -> None:
        self._built, self._broken = 0, False
        monkeypatch.setattr(Population, "__init__", self._counting(Population.__init__, at))
        monkeypatch.setattr(Population, "evaluate", self._failing(Population.evaluate, epoch))

    def _counting(self, init: Any, at: int) -> Any:
        def building(population: Population, *args: Any, **how: Any) -> None:
            if self._broken:
                raise cuda_error()
            init(population, *args, **how)
            self._built += 1
            population.fails = self._built == at  # type: ignore[attr-defined]
            population.evaluated = 0  # type: ignore[attr-defined]

        return building

    def _failing(self, evaluate: Any, epoch: int) -> Any:
        def evaluating(population: Any) -> Any:
            population.evaluated += 1
            if self._broken or (population.fails and population.evaluated == epoch):
                self._broken = True
                raise cuda_error()
            return evaluate(population)

        return evaluating


def cuda_error() -> Exception:
    """What PyTorch raises; versions before 2.8 have no kind of its own for it."""
    kind: type[Exception] = getattr(torch, "AcceleratorError", RuntimeError)
    return kind(f"{BROKEN}\nCUDA kernel errors might be asynchronously reported at some other API call")


def memory_runs_out(monkeypatch: pytest.MonkeyPatch, where: Callable[[Population], bool]) -> None:
    """At the end of an epoch, not of the first step, of populations `where` it shall."""
    evaluate = Population.evaluate

    def evaluating(population: Population) -> Any:
        if where(population) and population.step > 1:
            raise out_of_memory()
        return evaluate(population)

    monkeypatch.setattr(Population, "evaluate", evaluating)


def out_of_memory() -> Exception:
    """What PyTorch raises."""
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
