"""Data sets that were altered on purpose: fewer samples, other labels."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from torch import Tensor

    from d2ltui.data import Dataset


def with_training_part(data: Dataset, x: Tensor, y: Tensor) -> Dataset:
    """`data` with the training samples x (n, num_inputs), y; the validation part stays."""
    info = msgspec.structs.replace(data.info, train_size=len(x))
    return dataclasses.replace(data, info=info, x_train=x, y_train=y)


def first_samples(data: Dataset, count: int) -> Dataset:
    """`data` with the first `count` training samples."""
    return with_training_part(data, data.x_train[:count], data.y_train[:count])


def with_wrong_labels(data: Dataset, share: float, seed: int) -> Dataset:
    """`data` with another class, drawn by chance, for `share` of the training samples."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    labels, classes = data.y_train.clone(), data.info.num_outputs
    chosen = torch.randperm(len(labels), generator=generator)[: round(share * len(labels))]
    # From 1 to the number of classes less 1 further on: never the right one.
    labels[chosen] = (labels[chosen] + torch.randint(1, classes, (len(chosen),), generator=generator)) % classes
    return with_training_part(data, data.x_train, labels)


def with_random_labels(data: Dataset, seed: int) -> Dataset:
    """`data` with a class drawn by chance for each training sample."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, data.info.num_outputs, data.y_train.shape, generator=generator)
    return with_training_part(data, data.x_train, labels)
