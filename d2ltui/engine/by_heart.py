"""Whether a network can learn a handful of samples by heart: the quickest way to see that a training works at all.

Who can't learn sixteen samples can't learn the data set, and where another setting can, that setting is the cause.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from d2ltui.data import Dataset
from d2ltui.diagnosis.evidence import floors
from d2ltui.engine.metrics import scores
from d2ltui.engine.workbench import Workbench
from d2ltui.spec.config import RunConfig

SAMPLES, STEPS = 16, 300
LOOK_EVERY = 20  # steps
KNOWN = 0.05  # of a guess's loss: what is below has been learned by heart


class Memory(NamedTuple):
    """How much of the samples has been learned after `steps` steps, by the loss: 1 is all, 0 no more than a guess."""

    learned: float
    score: float  # accuracy, or R²
    loss: float
    steps: int
    samples: int
    blown_up: bool  # whether the loss was not finite, or ended far above what it was


def learn_by_heart(
    bench: Workbench, config: RunConfig | None = None, factor: float = 1.0, steps: int = STEPS
) -> Memory:
    """Train a network of its own on SAMPLES samples, for `steps` steps at most.

    It is trained as `config` says, by default the run's own; `factor` is what the inputs are multiplied by.

    Raises:
        Cancelled: where the run's control has been asked for an end.
    """
    learner = bench.learner(config)
    x, y = (part.to(bench.device) for part in handful(bench.data, bench.classes))
    x = x * factor
    guess = _guess(y, bench.classes) * (0.5 if _halved(config or bench.config) else 1.0)
    floor = floors(config or bench.config, bench.classes)[1]  # of smoothed labels: 0 is not what is wanted
    room = guess - floor if guess > floor else 1.0  # where all labels are equal, there is nothing to guess
    first = learner.evaluate(x, y)[1]
    loss, score, step = first, 0.0, 0
    while step < steps:
        for _ in range(LOOK_EVERY):
            bench.go_on()
            learner.step(x, y)
        step += LOOK_EVERY
        output, loss = learner.evaluate(x, y)
        if not math.isfinite(loss):
            break
        score = _score(bench, output, y)
        if loss - floor <= KNOWN * room:
            break
    blown_up = not math.isfinite(loss) or loss > 10 * max(first, guess, room)
    learned = min(1.0, max(0.0, 1 - (loss - floor) / room)) if math.isfinite(loss) else 0.0
    return Memory(learned, score, loss, step, len(x), blown_up)


def handful(data: Dataset, classes: int) -> tuple[Tensor, Tensor]:
    """SAMPLES samples of the training part, or all of fewer: as many of each class as there can be."""
    n = min(SAMPLES, len(data.x_train))
    if not classes:
        index = torch.linspace(0, len(data.x_train) - 1, n, dtype=torch.float64).long()
        return data.x_train[index], data.y_train[index]
    order = torch.argsort(data.y_train, stable=True)
    counts = torch.bincount(data.y_train, minlength=classes)
    starts = counts.cumsum(0) - counts
    # Each sample's place within its class: first the first one of every class, then the second ones.
    place = torch.arange(len(order)) - starts[data.y_train[order]]
    index = order[torch.argsort(place, stable=True)[:n]]
    return data.x_train[index], data.y_train[index]


def _score(bench: Workbench, output: Tensor, y: Tensor) -> float:
    if bench.classes:
        return float(scores(bench.config.task, output, y).double().mean())
    spread = float((y - y.mean()).square().mean())
    return 1 - float((output - y).square().mean()) / spread if spread > 0 else 0.0


def _guess(y: Tensor, classes: int) -> float:
    """The loss of who knows only how often each label comes, or the mean."""
    if not classes:
        return float(y.double().var(correction=0))
    shares = torch.bincount(y, minlength=classes).double() / len(y)
    return float(-(shares * shares.clamp_min(1e-300).log()).sum())


def _halved(config: RunConfig) -> bool:
    """Whether the squared loss has the factor ½ (section 3.4)."""
    return config.task == "regression" and config.implementation == "scratch"
