"""What each step's loss and outputs were, without slowing the steps.

A step only appends three references to a list. Losses and metrics are computed for a whole block at once, on the
device, and cross to the host in one transfer: fetching a scalar at each step would stall a GPU.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from d2ltui.spec.catalogue import Task

MAX_STEPS = 512
MAX_VALUES = 1 << 22  # outputs kept at most: 16 MiB of float32


class StepMetrics:
    """Collects steps and turns them into blocks of figures.

    Args:
        task: what the outputs mean.
        label_variance: the variance of the training labels, for R² (regression only).
    """

    def __init__(self, task: Task, label_variance: float) -> None:
        self._task = task
        self._label_variance = label_variance
        self._losses: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self._labels: list[Tensor] = []
        self._blocks: list[tuple[Tensor, Tensor, list[int]]] = []  # before those
        self._in_blocks = 0

    def __len__(self) -> int:
        return self._in_blocks + len(self._losses)

    def capacity(self, batch_size: int, num_outputs: int) -> int:
        """How many steps to collect at most before `take`."""
        return max(1, min(MAX_STEPS, MAX_VALUES // (batch_size * num_outputs)))

    def add(self, loss: Tensor, output: Tensor, labels: Tensor) -> None:
        """One step: its scalar loss, its output (batch, num_outputs), its labels (batch,) or (batch, 1)."""
        self._losses.append(loss)
        self._outputs.append(output)
        self._labels.append(labels)

    def add_block(self, losses: Tensor, found: Tensor, sizes: list[int]) -> None:
        """Steps whose `scores` are known: losses (steps,), `found` (samples,), in order, samples of each step."""
        self._end_block()
        self._blocks.append((losses, found, sizes))
        self._in_blocks += len(sizes)

    @torch.no_grad()
    def _end_block(self) -> None:
        if self._losses:
            sizes = [len(labels) for labels in self._labels]
            found = scores(self._task, torch.cat(self._outputs), torch.cat(self._labels))
            self._blocks.append((torch.stack(self._losses), found, sizes))
            self._in_blocks += len(sizes)
            self._losses, self._outputs, self._labels = [], [], []

    @torch.no_grad()
    def take(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Losses, metrics and batch sizes of the steps since the last call, one entry for each step."""
        self._end_block()
        if not self._blocks:
            empty = np.empty(0, np.float32)
            return empty, empty, np.empty(0, np.int64)
        losses, found, counts = zip(*self._blocks, strict=True)
        sizes = np.array([size for block in counts for size in block], dtype=np.int64)
        host = torch.cat([block.float() for block in (*losses, *found)]).cpu().numpy()
        self._blocks, self._in_blocks = [], 0
        starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        with np.errstate(over="ignore"):  # squared errors of a run that diverges
            means = np.add.reduceat(host[len(sizes) :], starts) / sizes
        return host[: len(sizes)], self._metric(means), sizes

    def _metric(self, mean_score: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Accuracy from the mean of hits, or R² from the mean squared error."""
        if self._task == "classification":
            return mean_score.astype(np.float32)
        return r_squared(mean_score, self._label_variance).astype(np.float32)


def r_squared(mean_squared_error: npt.ArrayLike, variance: float) -> npt.NDArray[np.float64]:
    """R²; of targets that are all the same, 1 where they are met and 0 where they are not, as scikit-learn has it."""
    error = np.asarray(mean_squared_error, dtype=np.float64)
    if variance == 0:
        return np.where(error == 0, 1.0, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        return 1 - error / variance


def scores(task: Task, output: Tensor, labels: Tensor) -> Tensor:
    """For each sample, what its metric is a mean of: 1 for a hit and 0 for a miss, or the squared error.

    Of outputs (n, num_outputs) shape (n,), of those of several networks, (P, n, num_outputs), shape (P, n).
    """
    if task == "classification":
        return output.argmax(dim=-1) == labels
    return (output - labels).square().flatten(output.dim() - 2)
