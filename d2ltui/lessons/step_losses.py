"""Losses step by step, as a run that goes on shows them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from d2ltui.spec.diagrams import Curve

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun

MOST = 400  # points of a line: more than any screen has columns


def losses_of(live: LiveRun) -> list[float]:
    """The loss of each step so far; what is not finite, as too large a loss soon is, is infinite."""
    return [value if math.isfinite(value) else math.inf for value in live.losses.values().tolist()]


def loss_curve(label: str, losses: list[float], colour: int, mark: str, per_unit: float = 1.0) -> Curve:
    """A line of `losses` over the steps, or over the epochs where `per_unit` is the number of steps in one."""
    every = math.ceil(len(losses) / MOST) if losses else 1
    x = [(step + 1) / per_unit for step in range(0, len(losses), every)]
    return Curve(label, x, losses[::every], colour, mark)
