"""The faults that the diagnosis's benchmark puts into healthy runs: other settings, or spoiled data."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from d2ltui.data import Dataset
from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig


@dataclass
class Fault:
    """One thing that is put wrong: another configuration, or other data; and the rules that name it."""

    kind: str
    rules: tuple[str, ...]
    change: dict[str, Any] = field(default_factory=dict)
    setting: str = ""  # that the remedy has to change, where the rule alone does not tell which it is
    spoil: Callable[[Dataset, torch.Generator], Dataset] | None = None  # data that no remedy mends


def faults(config: RunConfig, chance: random.Random) -> list[Fault]:
    """One of each kind that this run can have, of a size that is drawn."""

    def log(low: float, high: float) -> float:
        return float(10 ** chance.uniform(math.log10(low), math.log10(high)))

    def rounded(value: float) -> float:
        return float(f"{value:.2g}")

    found = [
        Fault("rate too high", ("learning-rate-high",), {"lr": rounded(config.lr * log(10, 3000))}),
        Fault("rate too low", ("learning-rate-low",), {"lr": rounded(config.lr / log(30, 10_000))}),
        Fault("weight decay", ("over-regularised",), {"weight_decay": rounded(log(0.03, 10))}),
        Fault("unscaled data", ("data-scale",), spoil=_scaled(log(30, 3000) ** chance.choice((1, -1)))),
    ]
    clipped = {"clip_norm": rounded(log(1e-6, 1e-3))}
    found.append(Fault("clipping", ("learning-rate-low",), clipped, setting="clip_norm"))
    if catalogue.has_use("momentum", {"optimizer": config.optimizer}):
        heavy = {"momentum": round(1 - log(1e-5, 3e-3), 6)}
        found.append(Fault("momentum", ("learning-rate-high",), heavy, setting="momentum"))
    if config.task == "classification":
        smooth = {"label_smoothing": round(chance.uniform(0.85, 0.999), 3)}
        found += [
            Fault("label smoothing", ("over-regularised",), smooth, setting="label_smoothing"),
            Fault("random labels", ("labels-random",), spoil=_shuffled),
            Fault("rare labels", ("label-imbalance",), spoil=_unbalanced),
        ]
    if config.model != "mlp":
        return found
    depth = len(config.hidden)
    good = 1 / math.sqrt(min(config.hidden))
    rng = {"init": "normal"}
    found += [
        Fault("dropout", ("over-regularised",), {"dropout": round(chance.uniform(0.8, 0.98), 2)}),
        Fault("large weights", ("initialisation",), {**rng, "init_std": rounded(good * log(8, 100))}),
        Fault("zeros", ("symmetry",), {"init": "zeros"}),
        Fault("no activation", ("no-activation",), {"activation": "identity"}),
        Fault("few samples", ("overfitting",), spoil=_few),
    ]
    if depth > 1:
        found.append(Fault("small weights", ("initialisation",), {**rng, "init_std": rounded(good / log(20, 3000))}))
        narrow = list(config.hidden)
        narrow[chance.randrange(1, depth)] = 1
        found.append(Fault("bottleneck", ("bottleneck",), {"hidden": tuple(narrow)}))
    width = config.hidden[0]
    deep = {"activation": "sigmoid", "hidden": (width,) * chance.randint(5, 9), "init": "xavier"}
    found.append(Fault("deep sigmoid", ("vanishing-gradient",), deep))
    if config.dataset in ("circles", "spirals", "moons"):
        simple = {"model": "softmax", "hidden": (), "dropout": 0.0}
        found.append(Fault("model too simple", ("underfitting",), simple))
    return found


def _replaced(data: Dataset, **parts: Any) -> Dataset:
    return dataclasses.replace(data, **parts)


def _scaled(factor: float) -> Callable[[Dataset, torch.Generator], Dataset]:
    return lambda data, generator: _replaced(data, x_train=data.x_train * factor, x_val=data.x_val * factor)


def _shuffled(data: Dataset, generator: torch.Generator) -> Dataset:
    y = data.y_train[torch.randperm(len(data.y_train), generator=generator)]
    return _replaced(data, y_train=y)


def _unbalanced(data: Dataset, generator: torch.Generator) -> Dataset:
    """One class in fifty stays of all but one."""
    keep = (data.y_train == 0) | (torch.rand(len(data.y_train), generator=generator) < 0.02)
    index = keep.nonzero().flatten()
    index = index.repeat(-(-len(data.y_train) // len(index)))[: len(data.y_train)]  # as many samples as before
    return _replaced(data, x_train=data.x_train[index], y_train=data.y_train[index])


def _few(data: Dataset, generator: torch.Generator) -> Dataset:
    """So few different samples that they are learned by heart."""
    index = torch.randperm(len(data.y_train), generator=generator)[: max(10, len(data.y_train) // 60)]
    index = index.repeat(-(-len(data.y_train) // len(index)))[: len(data.y_train)]
    return _replaced(data, x_train=data.x_train[index], y_train=data.y_train[index])
