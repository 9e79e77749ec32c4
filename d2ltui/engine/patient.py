"""A run that has ended, as the doctor gets it."""

from __future__ import annotations

import math
from typing import NamedTuple

from d2ltui.data import Dataset
from d2ltui.diagnosis.thresholds import LITTLE
from d2ltui.history.epochs import Epochs
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig


class Score(NamedTuple):
    """Accuracy, or R², of both parts; nothing is below 0."""

    train: float
    val: float

    @property
    def worse(self) -> float:
        """Of the two."""
        return min(self)


def score_of(epoch: events.EpochEnded) -> Score:
    """Of the end of an epoch."""
    return Score(
        *(max(0.0, value) if math.isfinite(value) else 0.0 for value in (epoch.train_metric, epoch.val_metric))
    )


class Patient(NamedTuple):
    """A run that has ended: how it was set, its data, its epochs, and whether it has diverged."""

    config: RunConfig
    data: Dataset
    epochs: Epochs
    diverged: bool
    step: int
    symptoms: tuple[events.Finding, ...]  # what was found by looking
    looked_at: tuple[str, ...] = ()  # while it trained, in words: the symptoms are from there
    at_start: tuple[events.Finding, ...] = ()  # found before the first step, the cause first

    @property
    def classes(self) -> int:
        """0 in regression."""
        return self.data.info.num_outputs if self.config.task == "classification" else 0

    @property
    def guess(self) -> float:
        """The score of who knows nothing."""
        return 1 / self.classes if self.classes else 0.0

    @property
    def little(self) -> float:
        """Of the way from there to 1, how far has learned little; an R² may be as low because the targets are noisy."""
        return LITTLE if self.classes else 0.0

    @property
    def guess_loss(self) -> float:
        """The loss of who knows nothing."""
        if self.classes:
            return math.log(self.classes)
        variance = float(self.data.y_train.double().var(correction=0))
        return variance / 2 if self.config.implementation == "scratch" else variance

    def score_after(self, epochs: int) -> Score:
        """After so many; a run that has diverged before is worth nothing."""
        if len(self.epochs) < epochs or self.diverged:
            return Score(self.guess, self.guess)
        return score_of(self.epochs[epochs - 1])
