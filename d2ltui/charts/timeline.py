"""Where a step lies on a chart's x axis: in epochs, steps, or seconds of training; and which part of it is shown."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from d2ltui.history.live import LiveRun
from d2ltui.history.series import Array

Unit = Literal["epoch", "step", "time"]
AXIS_NAMES: dict[str, Unit] = {"epoch": "epoch", "step": "step", "s": "time"}


class Timeline:
    """The x axis of one run at one moment, in `unit`."""

    def __init__(self, live: LiveRun, unit: Unit) -> None:
        self.unit = unit
        self._per_epoch = live.header.steps_per_epoch or 1
        self._steps: Array = np.empty(0)
        self._seconds: Array = np.empty(0)
        if unit == "time":
            # Times are known at the end of each epoch, and now.
            epochs = live.epochs.column("step"), live.epochs.column("seconds")
            known = min(map(len, epochs))
            self._steps = np.concatenate(([0], epochs[0][:known], [max(live.step, 1)]))
            self._seconds = np.concatenate(([0.0], epochs[1][:known], [live.seconds]))

    @property
    def label(self) -> str:
        """The axis's name, of at most 5 characters."""
        return "s" if self.unit == "time" else self.unit

    def x(self, steps: Array) -> Array:
        """Where `steps`, counted from 0, lie."""
        if self.unit == "step":
            return steps
        if self.unit == "epoch":
            return steps / self._per_epoch
        return np.interp(steps, self._steps, self._seconds)

    def at(self, step: float) -> float:
        """Where one step lies."""
        return float(self.x(np.array([step]))[0])

    def step(self, x: float) -> int:
        """The step nearest to `x`."""
        if self.unit == "time":
            return round(float(np.interp(x, self._seconds, self._steps)))
        return round(x if self.unit == "step" else x * self._per_epoch)


def window(first: float, last: float, newest: float, zoom: int, cursor: int | None) -> tuple[float, float]:
    """The steps that are shown of `first` to `last`: the 2 ** `zoom`-th part, around `cursor`, else up to `newest`."""
    if zoom <= 0:
        return first, last
    span = (last - first) / 2**zoom
    low = (cursor - span / 2) if cursor is not None else newest - span
    low = min(max(first, low), last - span)
    return low, low + span


def seconds_shown(seconds: float, ended: bool) -> float:
    """What an axis of seconds spans: twice as much whenever a run that goes on has filled it."""
    return max(seconds, 1e-3) if ended else 2.0 ** math.ceil(math.log2(max(seconds, 1.0)))
