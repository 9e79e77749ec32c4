"""Data that needs no download: made from the run's seed, or embedded in scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from d2ltui.data import Dataset, Progress
from d2ltui.nn.seeds import derive_seed
from d2ltui.spec.datasets import DATASET_SOURCES, DatasetInfo, Params
from d2ltui.spec.synthetic import FUNCTION_FROM, FUNCTION_TO, LINEAR_BIAS, LINEAR_WEIGHTS


def load(info: DatasetInfo, params: Params, progress: Progress, cancelled: Callable[[], bool]) -> Dataset:
    """The data set called `info.name`. `params` make the synthetic ones; real ones are always the same."""
    seed = derive_seed(params["seed"], "data")
    params = {**DATASET_SOURCES[info.name].fields, **params}
    if info.name == "synthetic-linear":
        return _synthetic_linear(info, params["noise"], seed)
    if info.name == "function":
        return _of_function(info, params["function"], params["noise"], seed)
    # Imported here because scikit-learn takes seconds, which synthetic-linear need not wait for.
    from sklearn import datasets

    total = info.train_size + info.val_size
    if info.name == "moons":
        return _split(info, *datasets.make_moons(total, noise=params["noise"], random_state=seed))
    if info.name == "circles":
        noise, factor = params["noise"], params["factor"]
        return _split(info, *datasets.make_circles(total, noise=noise, factor=factor, random_state=seed))
    if info.name == "spirals":
        return _split(info, *_spirals(total, info.num_outputs, params["noise"], params["turns"], seed))
    if info.name == "digits":
        return _split(info, *_digits(), standardise=False)
    if info.name == "diabetes":
        return _split(info, *datasets.load_diabetes(return_X_y=True))
    raise ValueError(f"dataset: '{info.name}' is not embedded")


@cache
def _digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Grey levels from 0 to 1, (1797, 64), and digits: read once, for all runs of a sweep, a map or a lesson."""
    from sklearn import datasets

    x, y = datasets.load_digits(return_X_y=True)
    return x / 16.0, y


def _synthetic_linear(info: DatasetInfo, noise: float, seed: int) -> Dataset:
    """y = Xw + b + noise with X ~ N(0, 1), noise ~ N(0, `noise`²) (section 3.3)."""
    generator = torch.Generator().manual_seed(seed)
    w, b = torch.tensor([[weight] for weight in LINEAR_WEIGHTS]), torch.tensor([LINEAR_BIAS])
    total = info.train_size + info.val_size
    x = torch.randn(total, info.num_inputs, generator=generator)
    y = x @ w + b + noise * torch.randn(total, 1, generator=generator)
    n = info.train_size
    return Dataset(info, x[:n].clone(), y[:n].clone(), x[n:].clone(), y[n:].clone(), truth=(w, b))


# Those of `spec.synthetic.FUNCTIONS`, by name: the labels without noise, (n, 1), of inputs (n, 1).
CURVES: dict[str, Callable[[Tensor], Tensor]] = {
    "sine": lambda x: torch.sin(2 * x),
    "absolute": torch.abs,
    "step": lambda x: (x > 0).float(),
    "square": lambda x: x**2 / 3,
    "waves": lambda x: torch.sin(x**2) * x / 3,
}


def _of_function(info: DatasetInfo, name: str, noise: float, seed: int) -> Dataset:
    """y = f(x) + noise with x uniform over the range, noise ~ N(0, `noise`²)."""
    generator = torch.Generator().manual_seed(seed)
    total, n = info.train_size + info.val_size, info.train_size
    x = FUNCTION_FROM + (FUNCTION_TO - FUNCTION_FROM) * torch.rand(total, 1, generator=generator)
    y = CURVES[name](x) + noise * torch.randn(total, 1, generator=generator)
    return Dataset(info, x[:n].clone(), y[:n].clone(), x[n:].clone(), y[n:].clone(), curve=CURVES[name])


def _spirals(
    total: int, num_arms: int, noise: float, turns: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """`total` points on `num_arms` arms of so many turns each, from near the centre (radius 0.1) to radius 1."""
    rng = np.random.default_rng(seed)
    arm = np.arange(total) % num_arms
    radius = rng.uniform(0.1, 1.0, total)
    angle = 2 * math.pi * (turns * radius + arm / num_arms)
    x = radius[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    return x + rng.normal(0.0, noise, x.shape), arm


def _split(
    info: DatasetInfo,
    x: NDArray[np.float64],
    y: NDArray[np.int64] | NDArray[np.float64],
    standardise: bool = True,
) -> Dataset:
    """Training and validation parts: the same samples for every seed, classes in equal proportions."""
    from sklearn.model_selection import train_test_split

    classification = info.task == "classification"
    x_train, x_val, y_train, y_val = train_test_split(
        x,
        y,
        train_size=info.train_size,
        test_size=info.val_size,
        random_state=0,
        stratify=y if classification else None,
    )
    if standardise:
        x_train, x_val = _standardised(x_train, x_val)
    if not classification:
        y_train, y_val = _standardised(y_train.reshape(-1, 1), y_val.reshape(-1, 1))
    dtype = torch.int64 if classification else torch.float32
    return Dataset(
        info,
        _tensor(x_train, torch.float32),
        _tensor(y_train, dtype),
        _tensor(x_val, torch.float32),
        _tensor(y_val, dtype),
    )


def _standardised(
    train: NDArray[np.float64], val: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # By the training part alone: the validation part must not take part in what the model is given.
    mean, sd = train.mean(axis=0), train.std(axis=0)
    return (train - mean) / sd, (val - mean) / sd


def _tensor(values: NDArray[np.float64] | NDArray[np.int64], dtype: torch.dtype) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(values)).to(dtype)
