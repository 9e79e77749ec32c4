"""Where a run is between two steps: numbers, all of which a checkpoint holds, too."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import torch

from d2ltui.diagnosis.rules_loss import losses_judged
from d2ltui.engine.clock import Clock
from d2ltui.history.epochs import Epochs
from d2ltui.nn.seeds import derive_seed
from d2ltui.spec.config import RunConfig


class Progress:
    """The position of a run, and the figures that it has come to.

    `lr` is the learning rate before its schedule. `epoch` counts from 1; it began after `epoch_began` steps, when the
    state of `order`, which draws the order of the data, was `epoch_order`. `epoch_sums` are loss × samples,
    metric × samples and samples of the epoch so far. `first_loss` is the loss before the first step, infinite while it
    is not known; `broken_loss` is the one that has ended the run, where it has diverged. `losses` are those of the
    latest steps, as many as are judged.
    """

    def __init__(self, config: RunConfig) -> None:
        self.lr = config.lr
        self.order = torch.Generator().manual_seed(derive_seed(config.seed, "order"))
        self.step = 0
        self.epochs = Epochs()
        self.clock = Clock()
        self.first_loss = math.inf
        self.broken_loss: float | None = None
        self.losses: deque[float] = deque(maxlen=losses_judged(config.batch_size))
        self.begin_epoch(1)

    @property
    def diverged(self) -> bool:
        """Whether a loss was no longer finite, or absurd."""
        return self.broken_loss is not None

    def begin_epoch(self, epoch: int) -> None:
        """All steps so far are those of earlier epochs."""
        self.epoch, self.epoch_began = epoch, self.step
        self.epoch_order = self.order.get_state()
        self.epoch_sums = np.zeros(3)
