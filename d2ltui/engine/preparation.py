"""What a run trains, and with what: made once, before its first step."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from d2ltui.data import Dataset
from d2ltui.engine import summary
from d2ltui.engine.checkpoint import fingerprint
from d2ltui.engine.device import place
from d2ltui.engine.metrics import StepMetrics
from d2ltui.engine.schedule import Schedule
from d2ltui.nn import Network, make_clip, make_optimizer
from d2ltui.nn.optim import Optimizer, make_device_optimizer
from d2ltui.spec.config import RunConfig


class Prepared(NamedTuple):
    """The parts of a training on a device."""

    device: torch.device
    network: Network
    optimizer: Optimizer
    clip: Callable[[], object] | None
    schedule: Schedule
    recorder: StepMetrics
    capacity: int  # how many steps it collects at most
    x_train: Tensor
    y_train: Tensor
    residence: str  # where they are
    x_val: Tensor
    y_val: Tensor
    val_variance: float  # of the target, in regression
    guess: float  # the loss of who knows nothing of the inputs
    fingerprint: tuple[int, int, int]  # of the training data


def prepare(
    config: RunConfig, data: Dataset, network: Network, device: torch.device, *, for_graphs: bool = False
) -> Prepared:
    """The parts of a training of `network`, which is on `device`, on `data`, which need not be.

    With `for_graphs`, an optimiser whose steps can be recorded, where there is one.
    """
    optimizer = make_device_optimizer(config, network) if for_graphs else None
    regression = config.task == "regression"
    variance = float(data.y_train.double().var(correction=0)) if regression else 1.0
    recorder = StepMetrics(config.task, variance)
    x_train, y_train, residence = place(data.x_train, data.y_train, device)
    return Prepared(
        device=device,
        network=network,
        optimizer=optimizer if optimizer is not None else make_optimizer(config, network),
        clip=make_clip(config, network),
        schedule=Schedule(config.schedule, config.epochs),
        recorder=recorder,
        capacity=recorder.capacity(config.batch_size, data.info.num_outputs),
        x_train=x_train,
        y_train=y_train,
        residence=residence,
        x_val=data.x_val.to(device),
        y_val=data.y_val.to(device),
        val_variance=float(data.y_val.double().var(correction=0)) if regression else 1.0,
        guess=summary.guess(config, variance, data.info.num_outputs),
        fingerprint=fingerprint(data.x_train, data.y_train),
    )
