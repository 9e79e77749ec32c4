"""Several runs of one configuration as one: mean and spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from d2ltui.history.live import LiveRun


class Band(NamedTuple):
    """For each epoch that some run has ended: the mean of the runs' figures, the smallest and the largest."""

    epochs: list[float]
    mean: list[float]
    low: list[float]
    high: list[float]


def band(lives: Sequence[LiveRun], figure: str) -> Band:
    """`figure`, one of EpochEnded's, over several runs. Values that are not finite do not count."""
    by_epoch: dict[int, list[float]] = {}
    for live in lives:
        ended = live.epochs  # the same for both columns
        for epoch, value in zip(ended.column("epoch").tolist(), ended.column(figure).tolist(), strict=False):
            if math.isfinite(value):
                by_epoch.setdefault(epoch, []).append(value)
    numbers = sorted(by_epoch)
    return Band(
        [float(number) for number in numbers],
        [sum(by_epoch[number]) / len(by_epoch[number]) for number in numbers],
        [min(by_epoch[number]) for number in numbers],
        [max(by_epoch[number]) for number in numbers],
    )


def mean_and_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Of some numbers; the sd is the sample's (n - 1), and a single number has none."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None
