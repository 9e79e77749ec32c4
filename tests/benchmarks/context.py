"""What the benchmarks share: the two settings, how many epochs they need, and the race that several rows read."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from d2ltui.spec.cores import available_cores

from .race import WINDOW, EndedEarly, Side, race, rate, read_log

T = TypeVar("T")

# Everything else is d2ltui's default.
LINEAR = ("--model", "linear", "--dataset", "synthetic-linear")
MLP = ("--model", "mlp", "--dataset", "fashion-mnist")
WIDE = (*MLP, "--hidden", "4096")  # what keeps a GPU busy
STEPS_PER_EPOCH = {"linear": 32, "mlp": 235, "wide": 235}
RACES = 5
MARGINS = (1.2, 2.5, 8.0, 30.0)
NO_DATA = "give --data-dir with Fashion-MNIST, or set D2LTUI_DATA_DIR"


class NotMeasured(Exception):
    """Why a benchmark cannot be run here."""


@dataclass(frozen=True)
class Context:
    """Where the data is, and what has been measured already in this run."""

    data_dir: str | None
    repeat: int = 1  # how many times as many rounds: what the noise of a machine leaves undecided needs more
    gpu: str = ""  # its name, "" where there is none: every run's device is the default one

    @classmethod
    def create(cls, data_dir: str | None, repeat: int = 1) -> Context:
        """With Fashion-MNIST where it is: as given, or as the environment says."""
        folder = data_dir or os.environ.get("D2LTUI_DATA_DIR")
        return cls(folder if folder and (Path(folder) / "FashionMNIST").is_dir() else None, repeat, gpu())

    @property
    def models(self) -> tuple[str, ...]:
        """Linear regression, the book's MLP, and on a GPU one of 4096 units."""
        return ("linear", "mlp", "wide") if self.gpu else ("linear", "mlp")

    @property
    def image_models(self) -> tuple[str, ...]:
        """Those on Fashion-MNIST."""
        return self.models[1:]

    def with_run(self, model: str, seconds: float, measure: Callable[[list[str]], T]) -> T:
        """`measure` a run of about `seconds` at full speed, so that its curves fill their charts meanwhile.

        How fast it will be is not known before, so a run that ends too soon is done again with more epochs.

        Raises:
            NotMeasured: where there is no data.
        """
        options = self.options(model)
        for margin in MARGINS:
            epochs = max(2, round(margin * self.speed(model) * seconds / STEPS_PER_EPOCH[model]))
            try:
                return measure([*options, "--epochs", str(epochs)])
            except EndedEarly:
                continue
        raise NotMeasured("every run ended before the measurement did")

    def options(self, model: str) -> list[str]:
        """Model and data set."""
        if model == "linear":
            return list(LINEAR)
        if self.data_dir is None:
            raise NotMeasured(NO_DATA)
        return [*(WIDE if model == "wide" else MLP), "--data-dir", self.data_dir]

    @functools.lru_cache  # noqa: B019 - one context lives as long as the process
    def speed(self, model: str) -> float:
        """Headless steps a second, roughly: only to choose the number of epochs."""
        side = Side("headless", [*self.options(model), "--epochs", "1000000"])
        try:
            side.wait_until_training()
            began = time.monotonic()
            time.sleep(1.5)
            return rate(read_log(side.log), began, time.monotonic())
        finally:
            side.close()

    @functools.lru_cache  # noqa: B019
    def races(self, model: str, sides: tuple[str, ...], rounds: int) -> list[dict[str, list[float]]]:
        """`race.race` several times, with `rounds` each: once for the rows that need the same.

        Where a process happens to lie in memory, and beside what, makes it some percent faster or slower than another
        of the same kind, for as long as it lives: many short races say more than a long one.

        All sides compute with as many threads as a loop by hand: `auto` would find the cores taken, by the others while
        it is stopped itself.
        """
        import torch

        seconds = (WINDOW + 0.3) * rounds + 4
        threads = ["--threads", str(min(torch.get_num_threads(), available_cores()))]
        return [
            self.with_run(model, seconds, lambda run: race(sides, [*run, *threads], rounds))
            for _ in range(RACES * self.repeat)
        ]


def gpu() -> str:
    """The name of the first GPU that PyTorch can use, "" where there is none."""
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""


def ratios(upper: list[float], lower: list[float]) -> list[float]:
    """One for each round."""
    return [high / low for high, low in zip(upper, lower, strict=True)]


def ratios_of(races: list[dict[str, list[float]]], upper: str, lower: str) -> list[list[float]]:
    """The same for two sides of each race."""
    return [ratios(race[upper], race[lower]) for race in races]
