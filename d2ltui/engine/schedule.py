"""Learning-rate schedules (section 12.11): PyTorch's own, asked what they would make of a rate of 1."""

from __future__ import annotations

import warnings

import torch
from torch.optim import lr_scheduler

from d2ltui.nn.accel.optimizers import PlainSGD

STEPS = 3  # a stepwise schedule lowers the rate to a tenth after each third of the epochs
WARM_UP = 10  # a warm-up takes the first tenth of the epochs, beginning at a tenth of the rate


class Schedule:
    """The factors by which a run's learning rate is multiplied, epoch by epoch.

    It moves no weights itself, so that it goes with any optimiser, with the from-scratch one, too, and with a rate that
    somebody changes while the run trains.

    Args:
        name: `constant`, `step`, `cosine`, or `warmup`: a linear warm-up, then a cosine.
        epochs: of the whole run.
    """

    def __init__(self, name: str, epochs: int) -> None:
        self._scheduler: lr_scheduler.LRScheduler | None = None
        self._epoch = 1  # that the scheduler stands at
        if name == "constant" or epochs == 1:
            return
        self._optimizer = PlainSGD([torch.zeros(1)], lr=1.0)
        self._scheduler = _make(name, self._optimizer, epochs)

    def factor(self, epoch: int) -> float:
        """Of `epoch`, which counts from 1 and is never before one that was asked for."""
        if self._scheduler is None:
            return 1.0
        while self._epoch < epoch:
            self._optimizer.step()  # nothing has a gradient; a scheduler insists on it
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # SequentialLR steps its parts in a way it warns of
                self._scheduler.step()
            self._epoch += 1
        return float(self._optimizer.param_groups[0]["lr"])


def _make(name: str, optimizer: torch.optim.Optimizer, epochs: int) -> lr_scheduler.LRScheduler:
    if name == "step":
        return lr_scheduler.StepLR(optimizer, max(1, -(-epochs // STEPS)))
    if name == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    if name == "warmup":
        warm = max(1, epochs // WARM_UP)
        parts: list[lr_scheduler.LRScheduler] = [
            lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=warm),
            lr_scheduler.CosineAnnealingLR(optimizer, max(1, epochs - warm)),
        ]
        return lr_scheduler.SequentialLR(optimizer, parts, milestones=[warm])
    raise ValueError(f"schedule: '{name}' is not allowed; allowed: constant, step, cosine, warmup")
