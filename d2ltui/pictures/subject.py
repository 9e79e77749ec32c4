"""What pictures are made of: a network, and samples. To look at it never changes it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from d2ltui.data import Dataset
from d2ltui.diagnosis.look import evaluating
from d2ltui.nn import Network
from d2ltui.spec.datasets import DatasetInfo

POINTS = 1000  # samples that are drawn into a plane, at most
SAMPLES = 2048  # of the validation part that are predicted for one picture, at most
VALUES = 1 << 20  # of a layer at once: on a CPU they stay in its cache, 4 MiB of float32

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Subject:
    """A network and samples of its data set, on the network's device.

    `x`, `y` are at most POINTS training samples, evenly spread; `x_val`, `y_val` at most SAMPLES of the validation
    part. `low`, `high` and `mean` (num_inputs,) are of the training samples.
    """

    network: Network
    info: DatasetInfo
    x: Tensor
    y: Tensor
    x_val: Tensor
    y_val: Tensor
    low: Tensor
    high: Tensor
    mean: Tensor
    truth: tuple[Tensor, Tensor] | None
    curve: Callable[[Tensor], Tensor] | None
    device: torch.device

    @classmethod
    def of(cls, network: Network, data: Dataset, device: torch.device) -> Subject:
        """The samples of `data` that pictures show; copies, so that the rest of it need not stay in memory."""
        x, y = _spread(data.x_train, data.y_train, POINTS, device)
        x_val, y_val = _spread(data.x_val, data.y_val, SAMPLES, device)
        return cls(
            network, data.info, x, y, x_val, y_val, x.amin(0), x.amax(0), x.mean(0), data.truth, data.curve, device
        )

    @torch.no_grad()
    def outputs(self, x: Tensor) -> Tensor:
        """The network's outputs (n, q) for samples x (n, num_inputs), in parts that fit into a cache."""
        widest = max((spec.num_values for spec in self.network.plan), default=1)
        size = max(1, VALUES // max(1, x.shape[1], widest))
        return torch.cat([self.network(part) for part in torch.split(x, size)])

    @contextlib.contextmanager
    def at_rest(self, *, alone: bool = False) -> Iterator[None]:
        """In evaluation mode, and everything afterwards as it was.

        With `alone`, random states are left to whoever else may draw from them just now: the network trains no more.
        """
        with evaluating(self.network, keep_random=not alone), torch.no_grad():
            yield

    def grid(self, first: int, second: int, width: int, height: int) -> tuple[Tensor, tuple[float, ...]]:
        """Samples (height · width, num_inputs) over the plane of two inputs, the highest row first; and its limits.

        The others are at their mean. A margin of a tenth is around the training samples.
        """
        limits = []
        for feature in (first, second):
            low, high = float(self.low[feature]), float(self.high[feature])
            margin = 0.1 * (high - low) or 1.0
            limits += [low - margin, high + margin]
        across = _centres(limits[0], limits[1], width, self.device)
        up = _centres(limits[2], limits[3], height, self.device).flip(0)
        x = self.mean.expand(height * width, -1).clone()
        x[:, first] = across.repeat(height)
        x[:, second] = up.repeat_interleave(width)
        return x, tuple(limits)


def _centres(low: float, high: float, number: int, device: torch.device) -> Tensor:
    """The middles of `number` equal parts."""
    half = (high - low) / number / 2
    return torch.linspace(low + half, high - half, number, device=device)


def _spread(x: Tensor, y: Tensor, most: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """At most `most` of the samples, evenly spread."""
    index = torch.linspace(0, len(x) - 1, min(len(x), most), dtype=torch.float64).long()
    return x[index].to(device), y[index].to(device)


def to_numpy(tensor: Tensor) -> Array:
    """As float32, on the CPU."""
    found: Array = tensor.detach().to("cpu", torch.float32).numpy()
    return found


def largest(maps: Tensor) -> float:
    """The largest magnitude among the numbers that are finite; 0 where none is."""
    finite = maps[torch.isfinite(maps)]
    return float(finite.abs().max()) if len(finite) else 0.0
