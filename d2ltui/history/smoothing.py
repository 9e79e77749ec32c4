"""Smoothed histories: a debiased exponential moving average, taken step by step before anything is reduced.

So a step's smoothed value is the same whatever part of the history is drawn, and in how many columns.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from d2ltui.history.series import Array, Reduced, Reducer, Series

POINTS = 100  # in a whole history: what a weight keeps of the past is meant for each hundredth of the steps
_LARGEST_POWER = 14.0  # of e, in a block: past values are brought to a block's start by dividing by their weights


class Average:
    """The debiased exponential moving average of values that come piece by piece, as TensorBoard draws it.

    `weight` in [0, 1) is how much of the past each value keeps; 0 changes nothing.

    Raises:
        ValueError: where `weight` is outside [0, 1).
    """

    def __init__(self, weight: float) -> None:
        if not 0 <= weight < 1:
            raise ValueError(f"weight: {weight} is not allowed; allowed: 0 to less than 1")
        self._weight = weight
        self._average, self._bias = 0.0, 1.0
        self._block = max(1, int(_LARGEST_POWER / -math.log(weight))) if weight else 1

    def add(self, values: npt.ArrayLike) -> Array:
        """The next `values`, shape (n,), smoothed; float64, shape (n,).

        Those that are not finite stay as they are and do not enter the average.
        """
        smoothed: Array = np.array(values, dtype=np.float64)
        if not self._weight:
            return smoothed
        places = np.flatnonzero(np.isfinite(smoothed))
        for start in range(0, len(places), self._block):
            block = places[start : start + self._block]
            decay = self._weight ** np.arange(1.0, len(block) + 1)
            sums = decay * (self._average + (1 - self._weight) * np.cumsum(smoothed[block] / decay))
            bias = self._bias * decay
            smoothed[block] = sums / (1 - bias)
            self._average, self._bias = float(sums[-1]), float(bias[-1])
        return smoothed


def smooth(values: npt.ArrayLike, weight: float) -> Array:
    """`values`, shape (n,), smoothed by `Average`; float64, shape (n,).

    Raises:
        ValueError: where `weight` is outside [0, 1).
    """
    return Average(weight).add(values)


class SmoothedReducer:
    """Reduces a series' moving average to a number of buckets. Only new values are averaged. Owned by one reader."""

    def __init__(self, series: Series) -> None:
        self._series, self._generation = series, series.generation
        self._weight = -1.0  # of a step; none yet
        self._average = Average(0.0)
        self._smoothed = Series()
        self._reducer = Reducer(self._smoothed)

    def reduce(self, weight: float, total: int, buckets: int) -> Reduced:
        """As `Reducer.reduce`, of the average, of which a hundredth of `total` steps keeps `weight` of the past."""
        self._extend(weight ** (1 / max(1.0, total / POINTS)))
        return self._reducer.reduce(total, buckets)

    def at(self, step: int) -> float:
        """The average after step `step`, counted from 1, as it was reduced last; nan where there is none."""
        values = self._smoothed.values()
        return float(values[step - 1]) if 1 <= step <= len(values) else math.nan

    def _extend(self, weight: float) -> None:
        generation = self._series.generation  # before the values: they may be of a later one, and are taken again
        values, known = self._series.values(), len(self._smoothed)
        if weight != self._weight or generation != self._generation or len(values) < known:
            self._smoothed.truncate(0)
            self._weight, self._generation, self._average, known = weight, generation, Average(weight), 0
        if len(values) > known:
            self._smoothed.extend(self._average.add(values[known:]))
