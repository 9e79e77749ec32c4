"""Generated data sets for the benchmark of the diagnosis: clusters, and a function to be fitted."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from d2ltui.data import Dataset
from d2ltui.spec.datasets import DATASET_SOURCES, DatasetInfo, DatasetSource

TRAIN, VAL = 900, 300
CLUSTERS = tuple((classes, inputs) for classes in (3, 6) for inputs in (4, 20))
PLANES = (3, 12)  # inputs of the regressions
FIRST_SEED = 20_000  # of the generator: a data set's own, whatever the run's seed


def register() -> tuple[str, ...]:
    """Add them to those that the program has; their names."""
    names = []
    for classes, inputs in CLUSTERS:
        info = _info(f"clusters-{classes}-{inputs}", "classification", inputs, classes)
        names.append(info.name)
        if info.name not in DATASET_SOURCES:
            DATASET_SOURCES.register(DatasetSource(info, "tests.benchmarks.diagnosis_data:load"))
    for inputs in PLANES:
        info = _info(f"plane-{inputs}", "regression", inputs, 1)
        names.append(info.name)
        if info.name not in DATASET_SOURCES:
            DATASET_SOURCES.register(DatasetSource(info, "tests.benchmarks.diagnosis_data:load"))
    return tuple(names)


def _info(name: str, task: str, inputs: int, outputs: int) -> DatasetInfo:
    return DatasetInfo(
        name=name,
        title=name,
        task=task,  # type: ignore[arg-type]
        origin="synthetic",
        input_shape=(inputs,),
        num_outputs=outputs,
        train_size=TRAIN,
        val_size=VAL,
        normalisation="none",
        description="generated",
        classes=tuple(map(str, range(outputs))) if task == "classification" else (),
    )


def load(info: DatasetInfo, params: object, progress: object, cancelled: object) -> Dataset:
    """Clusters of which each class has two, so that no straight line separates them; or a plane with noise."""
    x, y = _made(info.name, info.num_inputs, info.num_outputs)
    return Dataset(info, x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:])


@functools.cache
def _made(name: str, inputs: int, outputs: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(FIRST_SEED + inputs * 100 + outputs)
    total = TRAIN + VAL
    if name.startswith("plane"):
        x = torch.randn(total, inputs, generator=generator)
        w = torch.randn(inputs, 1, generator=generator)
        return x, x @ w + 1.5 + 0.3 * torch.randn(total, 1, generator=generator)
    centres = 2.0 * torch.randn(2 * outputs, inputs, generator=generator)
    which = torch.randint(2 * outputs, (total,), generator=generator)
    x = centres[which] + 0.5 * torch.randn(total, inputs, generator=generator)
    return x / x.std(), which % outputs
