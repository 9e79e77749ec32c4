"""Many runs of one network at once, each with a seed and a learning rate of its own: what a grid of rates needs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import torch
from torch import Tensor

from d2ltui.data import load
from d2ltui.engine.control import Control
from d2ltui.engine.population import Block, EpochFigures, Population
from d2ltui.spec.config import RunConfig


class _Last:
    """A watcher that keeps what each member ended with."""

    def __init__(self, size: int) -> None:
        self.metrics = torch.full((size,), torch.nan, dtype=torch.float64)

    def steps(self, members: Sequence[int], block: Block) -> None:
        """Of no interest."""

    def epoch(self, members: Sequence[int], number: int, figures: EpochFigures) -> None:
        """Keep the validation's accuracy, or R²."""
        self.metrics[list(members)] = torch.from_numpy(figures.val_metric)

    def between(self) -> None:
        """Nobody asks for anything."""


def train(config: RunConfig, seeds: Sequence[int], rates: Sequence[float]) -> Tensor:
    """The validation accuracy, or R², at the end of each run: shape (seeds, rates), nan where it diverged.

    The seed and the learning rate of `config` do not count.
    """
    configs = [msgspec.structs.replace(config, seed=seed, lr=float(rate)) for seed in seeds for rate in rates]
    data = {seed: load(msgspec.structs.replace(config, seed=seed)) for seed in seeds}
    watcher = _Last(len(configs))
    population = Population(configs, [data[one.seed] for one in configs], torch.device("cpu"), Control())
    population.train(watcher)
    diverged = [population.diverged(member) for member in range(len(configs))]
    watcher.metrics[torch.tensor(diverged)] = torch.nan
    return watcher.metrics.view(len(seeds), len(rates))
