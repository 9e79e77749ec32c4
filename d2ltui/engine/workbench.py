"""A run that is set up and never trained: what is looked at, and tried out, before the first step.

What a run would be given – network, data, optimiser, seeds – is the same here as in `trainer`. Nothing is stored, and
nobody is told; whoever asks trains copies for a few steps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from d2ltui.data import Dataset, load
from d2ltui.data.batches import data_iter
from d2ltui.diagnosis.probes import probe_batch
from d2ltui.engine import summary
from d2ltui.engine.control import Control
from d2ltui.engine.device import candidates, check_fits, make_current, place, seed_dropout
from d2ltui.engine.device_choice import choose
from d2ltui.engine.preparation import Prepared, prepare
from d2ltui.engine.step import train_step
from d2ltui.engine.threads import CoreMeter, ThreadCount
from d2ltui.history.epochs import Epochs
from d2ltui.nn import Network, Optimizer, build, make_clip, make_optimizer
from d2ltui.nn.seeds import derive_seed
from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig
from d2ltui.spec.layers import LayerSpec

Progress = Callable[[str, "float | None"], None]


class Cancelled(Exception):
    """Control asked for an end."""


class Learner:
    """A network of its own, with the initial weights that a run of `config` has, and what trains it."""

    def __init__(self, config: RunConfig, data: Dataset, device: torch.device) -> None:
        seed_dropout(config.seed, device)
        self.network: Network = build(config, device=device, dataset=data.info)
        self.optimizer: Optimizer = make_optimizer(config, self.network)
        self._clip = make_clip(config, self.network)

    def step(self, x: Tensor, y: Tensor) -> None:
        """One training step."""
        train_step(self.network, self.optimizer, self._clip, x, y)

    @torch.no_grad()
    def evaluate(self, x: Tensor, y: Tensor) -> tuple[Tensor, float]:
        """Outputs and mean loss, without dropout."""
        self.network.eval()
        try:
            output = self.network(x)
            return output, float(self.network.loss(output, y))
        finally:
            self.network.train()


@dataclasses.dataclass(frozen=True)
class Workbench:
    """A run of `config`, ready for its first step."""

    config: RunConfig
    data: Dataset
    device: torch.device
    plan: tuple[LayerSpec, ...]
    network: Network
    parts: Prepared
    x: Tensor  # the probe batch (n, num_inputs), the same samples that a run's layers are looked at with
    y: Tensor
    control: Control

    @property
    def classes(self) -> int:
        """How many; 0 in regression."""
        return self.data.info.num_outputs if self.config.task == "classification" else 0

    def has_run_away(self, epochs: Epochs, first_loss: float) -> bool:
        """Whether the run, trained to the end of `epochs`, has diverged though its loss is finite."""
        return summary.has_run_away(epochs[-1], first_loss, self.parts.guess, self.classes)

    def go_on(self) -> None:
        """To be called between steps.

        Raises:
            Cancelled: where `control` has been asked for an end.
        """
        _go_on(self.control)

    def learner(self, config: RunConfig | None = None) -> Learner:
        """A network to train: this run's, or that of another configuration on the same data."""
        return Learner(config or self.config, self.data, self.device)

    def batches(self, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
        """`steps` batches in a run's order, epoch after epoch."""
        order = torch.Generator().manual_seed(derive_seed(self.config.seed, "order"))
        x, y, _ = place(self.data.x_train, self.data.y_train, self.device)
        given = 0
        while given < steps:
            for batch in data_iter(x, y, self.config.batch_size, order, self.device):
                yield batch
                given += 1
                if given == steps:
                    return


def _go_on(control: Control) -> None:
    if control.stopping:
        raise Cancelled


def set_up(
    config: RunConfig,
    control: Control,
    *,
    dataset: Dataset | None = None,
    progress: Progress = lambda message, fraction: None,
) -> Workbench:
    """Load the data and build the network of `config`; `dataset` is used instead of what it names.

    Raises:
        Cancelled, LoadCancelled: where `control` has been asked for an end.
        DataError, DeviceError, ConfigError, BuildError: with one sentence.
    """
    names = candidates(config)
    data = dataset if dataset is not None else load(config, progress, lambda: control.stopping)
    device = choose(config, data, lambda: _go_on(control), progress, names=names).device
    make_current(device)
    check_fits(config, device)
    seed_dropout(config.seed, device)
    plan = catalogue.layer_plan(config, data.info)
    flops = 6 * config.batch_size * sum(layer.parameters for layer in plan)
    ThreadCount(config.threads, flops, device.type, CoreMeter()).choose()
    network = build(config, device=device, dataset=data.info)
    x, y = probe_batch(data.x_train, data.y_train, max(spec.num_values for spec in plan))
    bench = Workbench(
        config,
        data,
        device,
        plan,
        network,
        prepare(config, data, network, device),
        x.to(device),
        y.to(device),
        control,
    )
    bench.go_on()
    return bench
